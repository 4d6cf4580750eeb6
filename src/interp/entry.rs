//! Ways into Rust for functions that the interpreter calls by pointer.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::ptr;

use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;

/// The definition of a function, which the interpreter points to for ever.
pub(crate) struct Definition(ffi::PyMethodDef);

// SAFETY: never changed; what it points to is static.
unsafe impl Sync for Definition {}

impl Definition {
    /// Of a method without arguments.
    pub(crate) const fn none(name: &'static CStr, function: ffi::PyCFunction) -> Self {
        Self::new(name, function, ffi::METH_NOARGS)
    }

    /// Of a method with one argument.
    pub(crate) const fn one(name: &'static CStr, function: ffi::PyCFunction) -> Self {
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

    /// As the interpreter takes it, which only reads it.
    pub(crate) fn as_ptr(&'static self) -> *mut ffi::PyMethodDef {
        (&raw const self.0).cast_mut()
    }
}

/// Runs the body of a function that the interpreter calls; a panic in it becomes an
/// exception.
///
/// Not `Python::attach`: that one refuses while the interpreter is ending, when finalizers
/// still call decorated functions.
pub(crate) fn enter(body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls us with its lock held.
    unsafe { Python::attach_unchecked(|py| caught(py, body)) }
}

/// The same for the steps that every call takes, without telling PyO3 that this thread holds
/// the lock, which costs 12 ns each time.
///
/// What PyO3 does not know it does not rely on: a `Py` that is dropped in here is put aside,
/// and freed when PyO3 comes to know again. So what is dropped in here is a `Bound`; what
/// calls code of users, or drops what they gave, is called through [`registered`].
pub(crate) fn enter_unregistered(
    body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as above.
    caught(unsafe { Python::assume_attached() }, body)
}

fn caught(
    py: Python<'_>,
    body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let body = AssertUnwindSafe(|| body(py));
    std::panic::catch_unwind(body).unwrap_or_else(|_| {
        PanicException::new_err("panic in phanos").restore(py);
        ptr::null_mut()
    })
}

/// Runs a step of [`enter_unregistered`] that is not for every call, with PyO3 knowing.
pub(crate) fn registered<R>(_py: Python<'_>, body: impl FnOnce() -> R) -> R {
    // SAFETY: the token says that the lock is held.
    unsafe { Python::attach_unchecked(|_| body()) }
}
