//! The check that phanos is imported by the main interpreter: PyO3 and phanos keep Python
//! objects in statics, which a subinterpreter must not share.

#![allow(unsafe_code)]

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

const SUBINTERPRETER_MESSAGE: &str = "phanos works in the main interpreter of a process only, and \
    this is a subinterpreter; under mod_wsgi, choose the main one by \
    WSGIApplicationGroup %{GLOBAL} or application-group=%{GLOBAL}";

/// Errors: `ImportError` in a subinterpreter.
pub(crate) fn check_main(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: the thread is attached, so there is a current interpreter.
    let is_main = unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() };
    if is_main { Ok(()) } else { Err(PyImportError::new_err(SUBINTERPRETER_MESSAGE)) }
}
