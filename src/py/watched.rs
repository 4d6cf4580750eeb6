//! Objects that profilers made plans for: attributes set on them may change the plans.
//!
//! Handlers and metrics set attributes of their own in every batch or operation, where a
//! `__setattr__` written in Python costs 120 ns each time.

#![allow(unsafe_code)]

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

/// What plans depend on of a handler.
const OF_HANDLERS: [&str; 4] = ["handle", "formatter", "publisher", "synchronous"];

/// What handlers inherit first. It has no fields, so that it can be a base beside others.
#[pyclass(module = "phanos._phanos", subclass, frozen)]
pub(crate) struct WatchedHandler;

#[pymethods]
impl WatchedHandler {
    /// Takes whatever the `__init__` of a subclass takes.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        set(slf, name, Some(value))?;
        tell_if_watched(slf, name)
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        set(slf, name, None)?;
        tell_if_watched(slf, name)
    }
}

fn tell_if_watched(handler: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<()> {
    if name.to_str().is_ok_and(|name| OF_HANDLERS.contains(&name)) {
        return tell(handler);
    }
    Ok(())
}

/// Sets an attribute as for any object, or deletes it.
pub(super) fn set(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let value = value.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: valid objects, the last one null to delete.
    match unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value) } {
        0 => Ok(()),
        _ => Err(PyErr::take(object.py())
            .unwrap_or_else(|| PyAttributeError::new_err("attribute cannot be set"))),
    }
}

/// Tells all profilers that `object` has a new method or part.
pub(super) fn tell(object: &Bound<'_, PyAny>) -> PyResult<()> {
    static CHANGED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    let changed = CHANGED.get_or_try_init(py, || {
        let registry = py.import(intern!(py, "phanos._registry"))?;
        registry.getattr(intern!(py, "changed")).map(Bound::unbind)
    })?;
    changed.bind(py).call1((object,))?;
    Ok(())
}
