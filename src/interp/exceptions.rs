//! The exception in flight: set aside while the exit of a call works, and put back.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::interp::user_code;

/// An exception that was raised and not handled yet, taken off the thread.
///
/// PyO3's `PyErr` is not used here: taking one unwinds when it meets a Rust panic, and
/// this must put back whatever it took.
pub(crate) struct PendingException {
    #[cfg(not(Py_3_12))]
    class: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    #[cfg(not(Py_3_12))]
    traceback: *mut ffi::PyObject,
}

impl PendingException {
    /// Takes the raised exception; there must be one.
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

    /// Raises it again, unchanged.
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

    /// Drops it: another exception goes on in its place.
    pub(crate) fn forget(self, _py: Python<'_>) {
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
        // SAFETY: Set takes owned references, made here.
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
        outer.put_back();
        result
    }
}

/// What an `except` block around is handling, taken off the thread.
struct HandledException([*mut ffi::PyObject; 3]);

impl HandledException {
    fn take(_py: Python<'_>) -> Self {
        let (mut top, mut below) = ([ptr::null_mut(); 3], [ptr::null_mut(); 3]);
        // SAFETY: Get hands out owned references or null, Set takes them.
        unsafe {
            let [class, value, traceback] = &mut top;
            ffi::PyErr_GetExcInfo(class, value, traceback);
            // Get looks further out than Set reaches, through the callers of a coroutine or
            // generator. What is still there afterwards is theirs, and not to be put back
            // here; unless the same exception is handled here as well, which only shows by
            // the reference that Set gave up.
            let held = references_to(top[1]);
            ffi::PyErr_SetExcInfo(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            let given_up = references_to(top[1]) < held;
            let [class, value, traceback] = &mut below;
            ffi::PyErr_GetExcInfo(class, value, traceback);
            let inherited = top[1] == below[1] && !given_up;
            for reference in below {
                ffi::Py_XDECREF(reference);
            }
            if inherited {
                for reference in std::mem::replace(&mut top, [ptr::null_mut(); 3]) {
                    ffi::Py_XDECREF(reference);
                }
            }
        }
        Self(top)
    }

    fn put_back(self) {
        let [class, value, traceback] = self.0;
        // SAFETY: owned references or null, which Set takes.
        unsafe { ffi::PyErr_SetExcInfo(class, value, traceback) };
    }
}

/// How many references there are to `object`; none to a null pointer.
///
/// # Safety
/// Null or a valid object, with the interpreter lock held.
unsafe fn references_to(object: *mut ffi::PyObject) -> isize {
    if object.is_null() {
        return 0;
    }
    // SAFETY: a valid object.
    unsafe { ffi::Py_REFCNT(object) }
}

/// True if an exception is being handled: what `sys.exc_info()` would show.
pub(crate) fn in_flight(_py: Python<'_>) -> bool {
    let mut handled = [ptr::null_mut(); 3];
    // SAFETY: the interpreter lock is held; the references handed out are given back.
    unsafe {
        let [class, value, traceback] = &mut handled;
        ffi::PyErr_GetExcInfo(class, value, traceback);
        let [class, value, traceback] = handled;
        let raised = !value.is_null() && value != ffi::Py_None();
        ffi::Py_XDECREF(class);
        ffi::Py_XDECREF(value);
        ffi::Py_XDECREF(traceback);
        raised
    }
}

/// Leaves out an `Exception`; what is none (`KeyboardInterrupt`, `SystemExit`,
/// `CancelledError`, ...) goes on.
pub(crate) fn swallow<T>(py: Python<'_>, result: PyResult<T>) -> PyResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Calls `function(*args)` at the end of a call that failed or did not: if not, what a
/// caller further out is handling is hidden from it.
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
    outer.put_back();
    result
}
