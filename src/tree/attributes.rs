//! Attributes that users set on nodes and contexts.
//!
//! StoredArgs in a dict made for the first of them: a `dict` slot would cost every call 40 ns on
//! CPython 3.11 and 3.12, which fill it at once.

#![allow(unsafe_code)]

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::text::class_name;
use crate::interp::gil_cell::GilCell;

/// The dict, if there is one.
pub(crate) type Attributes = GilCell<Option<Py<PyDict>>>;

fn missing(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyErr {
    let class = class_name(object);
    PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'"))
}

/// For `__getattr__`: an attribute that nothing else provides.
pub(crate) fn get<'py>(
    object: &Bound<'py, PyAny>,
    attributes: &Attributes,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let found = match attributes.object(object.py()) {
        Some(own) => own.bind(object.py()).get_item(name)?,
        None => None,
    };
    found.ok_or_else(|| missing(object, name))
}

/// For `__setattr__` (`Some`) and `__delattr__` (`None`).
pub(crate) fn set<'py>(
    object: &Bound<'py, PyAny>,
    attributes: &Attributes,
    name: &Bound<'py, PyString>,
    value: Option<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let py = object.py();
    let raw = value.as_ref().map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: valid objects; null deletes.
    let done = unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), raw) };
    if done == 0 {
        return Ok(());
    }
    let error = PyErr::fetch(py);
    // Not one of the type's, nor of a subclass's own dict.
    let known = object.get_type().hasattr(name)?;
    if known || !error.is_instance_of::<PyAttributeError>(py) {
        return Err(error);
    }
    match value {
        Some(value) => all(py, attributes).bind(py).set_item(name, value),
        None => match attributes.object(py) {
            Some(own) if own.bind(py).contains(name)? => own.bind(py).del_item(name),
            _ => Err(missing(object, name)),
        },
    }
}

/// For `__dict__`: made now if there is none.
pub(crate) fn all(py: Python<'_>, attributes: &Attributes) -> Py<PyDict> {
    if let Some(known) = attributes.object(py) {
        return known;
    }
    let own = PyDict::new(py).unbind();
    attributes.set(py, Some(own.clone_ref(py)));
    own
}
