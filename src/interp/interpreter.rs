//! Which interpreter of the process this is: PyO3 keeps one interpreter's objects in statics,
//! and so do we, hence only the main one is served.

#![allow(unsafe_code)]

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

const REFUSED: &str = "phanos works in the main interpreter of a process only, and this is a \
    subinterpreter; under mod_wsgi, choose the main one by \
    WSGIApplicationGroup %{GLOBAL} or application-group=%{GLOBAL}";

/// # Errors
/// `ImportError` in a subinterpreter.
pub(crate) fn check_main(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: attached, so there is a current interpreter.
    let is_main = unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() };
    if is_main { Ok(()) } else { Err(PyImportError::new_err(REFUSED)) }
}
