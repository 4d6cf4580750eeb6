//! Entry points: what surrounds the body of a Rust function that CPython calls by pointer.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::ptr;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;

/// A `PyMethodDef` with static lifetime, which CPython keeps pointing to for ever.
pub(crate) struct StaticMethodDef(ffi::PyMethodDef);

// SAFETY: it is never changed, and what it points to is static.
unsafe impl Sync for StaticMethodDef {}

impl StaticMethodDef {
    /// A method without arguments.
    pub(crate) const fn no_args(name: &'static CStr, function: ffi::PyCFunction) -> Self {
        Self::new(name, function, ffi::METH_NOARGS)
    }

    /// A method with one argument.
    pub(crate) const fn one_arg(name: &'static CStr, function: ffi::PyCFunction) -> Self {
        Self::new(name, function, ffi::METH_O)
    }

    const fn new(name: &'static CStr, function: ffi::PyCFunction, flags: std::ffi::c_int) -> Self {
        Self(ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
            ml_flags: flags,
            ml_doc: ptr::null(),
        })
    }

    /// The pointer that CPython asks for; it is declared mutable and only read.
    pub(crate) fn as_ptr(&'static self) -> *mut ffi::PyMethodDef {
        (&raw const self.0).cast_mut()
    }
}

/// Runs the body of a function that CPython calls; a panic in it becomes a `RuntimeError`. What a
/// profiled call goes through contains its panics itself: see `panics`.
///
/// `Python::attach` would refuse while the interpreter is ending, when finalizers still call
/// decorated functions.
pub(crate) fn enter(body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this function with the interpreter lock held.
    unsafe { Python::attach_unchecked(|py| catch_panic(py, body)) }
}

/// [`enter`] for the steps that every call takes, without registering with PyO3 that this thread
/// holds the interpreter lock: registering costs 12 ns each time.
///
/// While a thread is unregistered, PyO3 defers the release of every `Py` that is dropped until
/// it is registered again. So `body` drops `Bound` only, and goes through [`registered`] to call
/// code of users or to drop objects of theirs.
pub(crate) fn enter_unregistered(
    body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as above.
    catch_panic(unsafe { Python::assume_attached() }, body)
}

fn catch_panic(
    py: Python<'_>,
    body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let body = AssertUnwindSafe(|| body(py));
    std::panic::catch_unwind(body).unwrap_or_else(|_| {
        PyRuntimeError::new_err("phanos itself failed, please report it").restore(py);
        ptr::null_mut()
    })
}

/// Runs a rare step of an [`enter_unregistered`] body with the thread registered with PyO3.
pub(crate) fn registered<R>(_py: Python<'_>, body: impl FnOnce() -> R) -> R {
    // SAFETY: the token proves that the lock is held.
    unsafe { Python::attach_unchecked(|_| body()) }
}
