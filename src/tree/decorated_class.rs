//! The class of decorated functions. `call` makes it; the floors below need to recognise it.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::interp::once::GilOnce;

static CLASS: GilOnce<Py<PyType>> = GilOnce::new();

/// The class; `make` is called for the first decorated function.
///
/// Errors: those of `make`.
pub(crate) fn get_or_make(
    py: Python<'_>,
    make: impl FnOnce() -> PyResult<Py<PyType>>,
) -> PyResult<&Bound<'_, PyType>> {
    CLASS.get_or_make(py, make).map(|class| class.bind(py))
}

/// True if `object` is a decorated function.
pub(crate) fn is_decorated(object: &Bound<'_, PyAny>) -> bool {
    CLASS.get(object.py()).is_some_and(|class| object.get_type().is(class))
}
