//! Panics, which are mistakes in this crate or in a library, contained where Python calls: the
//! profiled program goes on as if it were not profiled, and the log says so.
//!
//! What is not contained here, a method that PyO3 makes, raises PyO3's exception for a panic. That is
//! made an ordinary `RuntimeError`, so that code that deals with failures deals with this one too.

#![allow(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use phanos_core::rate_limiter::RateLimiter;

use crate::interp::entry::registered;
use crate::interp::gil_cell::GilCell;
use crate::interp::once::intern;
use crate::interp::user_code;

static LINES: GilCell<Option<RateLimiter>> = GilCell::new(None);

/// What `body` returns; `None` if it panics, and a line in the log that `what` failed. An exception
/// that is pending then is cleared.
#[inline]
pub(crate) fn contained<R>(
    py: Python<'_>,
    what: &'static str,
    body: impl FnOnce() -> R,
) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => Some(result),
        Err(panic) => {
            registered(py, || report(py, what, &*panic));
            None
        }
    }
}

/// Runs the body of a function that CPython calls, as `entry::enter_unregistered` does. What it
/// returns; `None` if it panics, see [`contained`].
#[inline]
pub(crate) fn enter_contained<R>(
    what: &'static str,
    body: impl FnOnce(Python<'_>) -> R,
) -> Option<R> {
    // SAFETY: CPython calls this function with the interpreter lock held.
    let py = unsafe { Python::assume_attached() };
    contained(py, what, || body(py))
}

/// Runs `clean_up` if a panic unwinds the stack while this lives. [`Self::forget`] it otherwise.
/// Costs nothing where nothing panics; `clean_up` itself must not panic.
pub(crate) struct OnPanic<F: FnMut()>(F);

impl<F: FnMut()> OnPanic<F> {
    #[inline]
    pub(crate) fn new(clean_up: F) -> Self {
        Self(clean_up)
    }

    #[inline]
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }
}

impl<F: FnMut()> Drop for OnPanic<F> {
    #[cold]
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Logs a failure to the logger `phanos`, at most once a minute for each `what`.
#[cold]
#[inline(never)]
fn report(py: Python<'_>, what: &'static str, panic: &(dyn Any + Send)) {
    // SAFETY: the interpreter lock is held. Calling Python with an exception pending would fail.
    unsafe { ffi::PyErr_Clear() };
    let now = Instant::now();
    let admitted =
        LINES.with(py, |lines| lines.get_or_insert_with(RateLimiter::default).admit(what, now));
    if admitted.is_none() {
        return;
    }
    let text = format!("phanos itself failed, please report it: {what}: {}", panic_text(panic));
    // The end of the interpreter may have taken logging away, and a logger may fail: there is
    // nothing else to tell.
    let logged = catch_unwind(AssertUnwindSafe(|| {
        let logger = py.import(intern!(py, "logging"))?;
        let logger = user_code::call_method(
            &logger,
            intern!(py, "getLogger"),
            &[intern!(py, "phanos").as_any()],
        )?;
        let text = PyString::new(py, &text);
        let line: &[_] = &[intern!(py, "%s").as_any(), text.as_any()];
        user_code::call_method(&logger, intern!(py, "error"), line).map(drop)
    }));
    drop::<Result<PyResult<()>, _>>(logged);
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// Makes PyO3's exception for panics an ordinary `RuntimeError`; it comes as a `BaseException`,
/// which programs do not catch.
///
/// Errors: `MemoryError`.
pub(crate) fn soften(py: Python<'_>) -> PyResult<()> {
    let bases = PyTuple::new(py, [py.get_type::<PyRuntimeError>()])?;
    py.get_type::<PanicException>().setattr(intern!(py, "__bases__"), bases)
}

/// Where tests of this crate let it panic; nothing at all in the package.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn point(_name: &'static str) {}

#[cfg(test)]
pub(crate) use for_tests::point;

#[cfg(test)]
pub(crate) mod for_tests {
    use std::sync::Mutex;

    static ARMED: Mutex<Option<&'static str>> = Mutex::new(None);

    /// Lets the code panic the next time it comes to this point.
    pub(crate) fn arm(name: &'static str) {
        *ARMED.lock().expect("not poisoned") = Some(name);
    }

    /// True if the code has not come to the point since.
    pub(crate) fn is_armed() -> bool {
        ARMED.lock().expect("not poisoned").is_some()
    }

    pub(crate) fn point(name: &'static str) {
        let is_here = ARMED.lock().expect("not poisoned").take_if(|armed| *armed == name).is_some();
        assert!(!is_here, "told to, at {name:?}");
    }
}
