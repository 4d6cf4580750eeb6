//! Calls of code that users wrote: hooks, handlers, methods they override. The arguments are passed
//! as they are, on the stack.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

/// The largest number of arguments that callers of this module pass.
const MAX_ARGUMENTS: usize = 4;

/// Calls `callable(*args)`.
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = [ptr::null_mut(); MAX_ARGUMENTS];
    for (place, argument) in all.iter_mut().zip(args) {
        *place = argument.as_ptr();
    }
    let count = args.len().min(MAX_ARGUMENTS);
    // SAFETY: all objects are valid and the interpreter lock is held; the result is owned or null.
    unsafe {
        let result =
            ffi::PyObject_Vectorcall(callable.as_ptr(), all.as_ptr(), count, ptr::null_mut());
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}

/// Calls `object.name(*args)`.
pub(crate) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = [ptr::null_mut(); MAX_ARGUMENTS + 1];
    for (place, argument) in all.iter_mut().zip(std::iter::once(&object).chain(args)) {
        *place = argument.as_ptr();
    }
    let count = 1 + args.len().min(MAX_ARGUMENTS);
    // SAFETY: as above.
    unsafe {
        let no_names = ptr::null_mut();
        let result = ffi::PyObject_VectorcallMethod(name.as_ptr(), all.as_ptr(), count, no_names);
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// Calls `callable(*args, **kwargs)`.
pub(crate) fn call_packed<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let kwargs = kwargs.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: as above.
    unsafe {
        let result = ffi::PyObject_Call(callable.as_ptr(), args.as_ptr(), kwargs);
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}
