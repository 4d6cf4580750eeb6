//! Attributes that users set on nodes and contexts.
//!
//! They are in a dict that is made for the first of them. A `dict` slot of the class would cost
//! every call 40 ns on CPython 3.11 and 3.12, which fill it when the object is made.

#![allow(unsafe_code)]

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyClass, ffi};

use crate::convert::text::class_name;

/// A native class whose objects have a place for such a dict.
pub(crate) trait HasAttributes: PyClass<Frozen = True> + Sync {
    /// The dict, if there is one.
    fn attributes(&self, py: Python<'_>) -> Option<Py<PyDict>>;

    /// Stores the dict.
    fn set_attributes(&self, py: Python<'_>, attributes: Py<PyDict>);
}

/// Implements `__getattr__`, which Python calls for an attribute that nothing else provides.
pub(crate) fn get<'py, T: HasAttributes>(
    object: &Bound<'py, T>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let found = match object.get().attributes(py) {
        Some(attributes) => attributes.bind(py).get_item(name)?,
        None => None,
    };
    found.ok_or_else(|| missing(object, name))
}

/// Implements `__setattr__` (with a value) and `__delattr__` (with `None`).
pub(crate) fn set<'py, T: HasAttributes>(
    object: &Bound<'py, T>,
    name: &Bound<'py, PyString>,
    value: Option<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let py = object.py();
    let raw = value.as_ref().map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: all objects are valid; a null pointer deletes the attribute.
    let status = unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), raw) };
    if status == 0 {
        return Ok(());
    }
    let error = PyErr::fetch(py);
    // Neither a descriptor of the class nor an entry of a subclass's own `__dict__` took it.
    let is_of_class = object.as_any().get_type().hasattr(name)?;
    if is_of_class || !error.is_instance_of::<PyAttributeError>(py) {
        return Err(error);
    }
    match value {
        Some(value) => dict(object).bind(py).set_item(name, value),
        None => match object.get().attributes(py) {
            Some(attributes) if attributes.bind(py).contains(name)? => {
                attributes.bind(py).del_item(name)
            }
            _ => Err(missing(object, name)),
        },
    }
}

/// Implements `__dict__`: the dict, made now if there is none.
pub(crate) fn dict<T: HasAttributes>(object: &Bound<'_, T>) -> Py<PyDict> {
    let py = object.py();
    if let Some(attributes) = object.get().attributes(py) {
        return attributes;
    }
    let attributes = PyDict::new(py).unbind();
    object.get().set_attributes(py, attributes.clone_ref(py));
    attributes
}

fn missing<T>(object: &Bound<'_, T>, name: &Bound<'_, PyString>) -> PyErr {
    let class = class_name(object.as_any());
    PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'"))
}
