//! Values that are made once and kept for the life of the process.
//!
//! PyO3's `PyOnceLock`, and with it `pyo3::intern!`, let go of the interpreter lock while a value is
//! marked as being made. Another thread may fork then, and the child waits for ever for a value that
//! no thread of its own is making. Here the interpreter lock is what guards the value: nothing is
//! marked and nothing waits. Two threads that both find nothing both make one, and the first counts.

#![allow(unsafe_code)]

use std::cell::OnceCell;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A value that is made when it is first asked for.
pub(crate) struct GilOnce<T>(OnceCell<T>);

// SAFETY: every access demands `Python<'_>`, which exists only while the calling thread holds the
// interpreter lock, and none of them runs other code while it looks at or changes the cell.
unsafe impl<T> Sync for GilOnce<T> {}

impl<T> GilOnce<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceCell::new())
    }

    #[inline]
    pub(crate) fn get(&self, _py: Python<'_>) -> Option<&T> {
        self.0.get()
    }

    /// Sets the value, unless there is one.
    pub(crate) fn set(&self, _py: Python<'_>, value: T) {
        drop(self.0.set(value));
    }

    /// The value, made by `make` if there is none. Making one may run any code, this function too.
    ///
    /// Errors: those of `make`.
    #[inline]
    pub(crate) fn get_or_make<E>(
        &self,
        py: Python<'_>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        match self.get(py) {
            Some(value) => Ok(value),
            None => self.make(py, make),
        }
    }

    #[cold]
    fn make<E>(&self, py: Python<'_>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        // One that was made meanwhile stays.
        self.set(py, make()?);
        Ok(self.0.get().expect("set just now, or before"))
    }
}

/// A string that is made once; see [`intern`].
pub(crate) struct Interned {
    text: &'static str,
    string: GilOnce<Py<PyString>>,
}

impl Interned {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, string: GilOnce::new() }
    }

    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        let make = || Ok::<_, PyErr>(PyString::intern(py, self.text).unbind());
        self.string.get_or_make(py, make).expect("it cannot fail").bind(py)
    }
}

/// `intern!(py, "name")` is a `&Bound<PyString>`, made at the first use of each place.
macro_rules! intern {
    ($py:expr, $text:expr) => {{
        static INTERNED: $crate::interp::once::Interned =
            $crate::interp::once::Interned::new($text);
        INTERNED.get($py)
    }};
}
pub(crate) use intern;
