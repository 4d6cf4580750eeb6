//! The exceptions of a thread, set aside while the end of a call is recorded, then restored.
//!
//! CPython knows two: the pending exception, which is on its way up the stack, and the handled
//! one, which an `except` block is working on and `sys.exc_info()` shows.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::exceptions::{PyException, PyGeneratorExit};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::interp::once::intern;
use crate::interp::user_code;

/// The pending exception, taken off the thread: raised, and not caught yet.
///
/// PyO3's `PyErr` is not used here: `PyErr::take` unwinds if the exception stands for a Rust
/// panic, and whatever is taken here must be restored.
pub(crate) struct PendingException {
    #[cfg(not(Py_3_12))]
    class: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    #[cfg(not(Py_3_12))]
    traceback: *mut ffi::PyObject,
}

impl PendingException {
    /// Takes the pending exception; there must be one.
    pub(crate) fn take(_py: Python<'_>) -> Self {
        #[cfg(Py_3_12)]
        // SAFETY: the interpreter lock is held; the pointer is owned or null.
        unsafe {
            Self { value: ffi::PyErr_GetRaisedException() }
        }
        #[cfg(not(Py_3_12))]
        // SAFETY: the interpreter lock is held; all pointers are owned or null.
        unsafe {
            let mut taken =
                Self { class: ptr::null_mut(), value: ptr::null_mut(), traceback: ptr::null_mut() };
            ffi::PyErr_Fetch(&raw mut taken.class, &raw mut taken.value, &raw mut taken.traceback);
            ffi::PyErr_NormalizeException(
                &raw mut taken.class,
                &raw mut taken.value,
                &raw mut taken.traceback,
            );
            if !taken.traceback.is_null() && !taken.value.is_null() {
                ffi::PyException_SetTraceback(taken.value, taken.traceback);
            }
            taken
        }
    }

    /// Makes it pending again, unchanged.
    pub(crate) fn restore(self, _py: Python<'_>) {
        #[cfg(Py_3_12)]
        // SAFETY: ownership of the pointer goes to the interpreter.
        unsafe {
            ffi::PyErr_SetRaisedException(self.value);
        }
        #[cfg(not(Py_3_12))]
        // SAFETY: ownership of all pointers goes to the interpreter.
        unsafe {
            ffi::PyErr_Restore(self.class, self.value, self.traceback);
        }
    }

    /// Drops it: another exception is raised in its place.
    pub(crate) fn discard(self, _py: Python<'_>) {
        // SAFETY: all pointers are owned or null.
        unsafe {
            ffi::Py_XDECREF(self.value);
            #[cfg(not(Py_3_12))]
            {
                ffi::Py_XDECREF(self.class);
                ffi::Py_XDECREF(self.traceback);
            }
        }
    }

    /// Runs `body` with this exception as the handled one, as inside an `except` block:
    /// `sys.exc_info()` shows it, and what `body` raises gets it as context.
    pub(crate) fn handled<R>(&self, py: Python<'_>, body: impl FnOnce() -> R) -> R {
        let outer = HandledException::take(py);
        // SAFETY: `PyErr_SetExcInfo` takes owned references, which are made here.
        unsafe {
            #[cfg(not(Py_3_12))]
            let (class, traceback) = (self.class, self.traceback);
            #[cfg(Py_3_12)]
            let (class, traceback) =
                (ptr::null_mut::<ffi::PyObject>(), ptr::null_mut::<ffi::PyObject>());
            ffi::Py_XINCREF(class);
            ffi::Py_XINCREF(self.value);
            ffi::Py_XINCREF(traceback);
            ffi::PyErr_SetExcInfo(class, self.value, traceback);
        }
        let result = body();
        outer.restore();
        result
    }
}

/// The exception that an enclosing `except` block handles, taken off the thread.
struct HandledException([*mut ffi::PyObject; 3]);

impl HandledException {
    fn take(_py: Python<'_>) -> Self {
        let (mut handled, mut inherited) = ([ptr::null_mut(); 3], [ptr::null_mut(); 3]);
        // SAFETY: `PyErr_GetExcInfo` hands out owned references or null, `PyErr_SetExcInfo`
        // takes them.
        unsafe {
            let [class, value, traceback] = &mut handled;
            ffi::PyErr_GetExcInfo(class, value, traceback);
            // In a coroutine or generator, Get also finds what its callers handle, which Set does
            // not reach. An exception that Get still finds after Set is the callers', and must
            // not be set here; unless it is handled here as well, which only shows by the
            // reference that Set released.
            let references = reference_count(handled[1]);
            ffi::PyErr_SetExcInfo(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            let was_set_here = reference_count(handled[1]) < references;
            let [class, value, traceback] = &mut inherited;
            ffi::PyErr_GetExcInfo(class, value, traceback);
            let is_inherited = handled[1] == inherited[1] && !was_set_here;
            for reference in inherited {
                ffi::Py_XDECREF(reference);
            }
            if is_inherited {
                for reference in std::mem::replace(&mut handled, [ptr::null_mut(); 3]) {
                    ffi::Py_XDECREF(reference);
                }
            }
        }
        Self(handled)
    }

    fn restore(self) {
        let [class, value, traceback] = self.0;
        // SAFETY: owned references or null, which `PyErr_SetExcInfo` takes.
        unsafe { ffi::PyErr_SetExcInfo(class, value, traceback) };
    }
}

/// The reference count of `object`; 0 for a null pointer.
///
/// # Safety
/// `object` is null or valid, and the interpreter lock is held.
unsafe fn reference_count(object: *mut ffi::PyObject) -> isize {
    if object.is_null() {
        return 0;
    }
    // SAFETY: a valid object.
    unsafe { ffi::Py_REFCNT(object) }
}

/// True if an exception is being handled, so that `sys.exc_info()` would show it.
pub(crate) fn is_handling(_py: Python<'_>) -> bool {
    let mut handled = [ptr::null_mut(); 3];
    // SAFETY: the interpreter lock is held; the references handed out are released.
    unsafe {
        let [class, value, traceback] = &mut handled;
        ffi::PyErr_GetExcInfo(class, value, traceback);
        let [class, value, traceback] = handled;
        let is_handling = !value.is_null() && value != ffi::Py_None();
        ffi::Py_XDECREF(class);
        ffi::Py_XDECREF(value);
        ffi::Py_XDECREF(traceback);
        is_handling
    }
}

/// True if a coroutine whose exception is being handled may await more: it was not closed, and its
/// task not cancelled.
pub(crate) fn may_await_more(py: Python<'_>) -> bool {
    let mut handled = [ptr::null_mut(); 3];
    // SAFETY: the interpreter lock is held; the references handed out are owned or null.
    let handled = unsafe {
        let [class, value, traceback] = &mut handled;
        ffi::PyErr_GetExcInfo(class, value, traceback);
        handled.map(|reference| Bound::from_owned_ptr_or_opt(py, reference))
    };
    let Some(value) = &handled[1] else { return false };
    if value.is_instance_of::<PyException>() {
        return true;
    }
    !value.is_instance_of::<PyGeneratorExit>() && !is_cancellation(value)
}

/// What event loops cancel tasks with, by module: none of them is an `Exception`.
const CANCELLATIONS: [(&str, &str); 2] =
    [("asyncio.exceptions", "CancelledError"), ("trio", "Cancelled")];

/// True for an exception of [`CANCELLATIONS`]; a module that is not loaded has raised none.
fn is_cancellation(error: &Bound<'_, PyAny>) -> bool {
    let py = error.py();
    let cancelled = || {
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let modules = modules.cast_into::<PyDict>()?;
        for (module, name) in CANCELLATIONS {
            if let Some(module) = modules.get_item(module)?
                && error.is_instance(&module.getattr(name)?)?
            {
                return PyResult::Ok(true);
            }
        }
        Ok(false)
    };
    cancelled().unwrap_or(false)
}

/// Turns an `Exception` into `Ok(None)`.
///
/// Errors: any other `BaseException`, such as `KeyboardInterrupt`, `SystemExit` and
/// `CancelledError`.
pub(crate) fn swallow<T>(py: Python<'_>, result: PyResult<T>) -> PyResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Calls `function(*args)` at the end of a profiled call. If that call has not `failed`, the
/// exception that an `except` block around it handles is hidden from `function`.
#[pyfunction]
#[pyo3(signature = (failed, function, *args))]
pub(crate) fn call_as<'py>(
    failed: bool,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    if failed {
        return user_code::call_packed(function, args, None);
    }
    let outer = HandledException::take(function.py());
    let result = user_code::call_packed(function, args, None);
    outer.restore();
    result
}
