//! `phanos.tree.Context`: the dotted context of a node as users see it.

use std::rc::Rc;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use phanos_core::path::Path;

use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::GilCell;
use crate::tree::attributes::{self, Attributes};
use crate::tree::owner::owner_of;

#[pyclass(name = "Context", module = "phanos.tree", subclass, frozen, weakref)]
pub(crate) struct Context {
    path: GilCell<Rc<Path>>,
    method: GilCell<Option<Py<PyAny>>>,
    attributes: Attributes,
}

impl_traverse!(Context { attributes, method });

impl Context {
    pub(crate) fn of(path: Rc<Path>, method: Option<Py<PyAny>>) -> Self {
        Self {
            path: GilCell::new(path),
            method: GilCell::new(method),
            attributes: GilCell::new(None),
        }
    }

    pub(crate) fn path(&self, py: Python<'_>) -> Rc<Path> {
        self.path.get(py)
    }

    pub(crate) fn set_path(&self, py: Python<'_>, path: Rc<Path>) {
        self.path.set(py, path);
    }
}

/// The name under which calls of `callable` appear: `__name__`, else that of the callable
/// inside a `functools.partial`, else the name of its type.
pub(crate) fn call_name(callable: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = callable.py();
    if let Some(name) = callable.getattr_opt(intern!(py, "__name__"))?
        && let Ok(name) = name.cast::<PyString>()
    {
        return Ok(name.to_string());
    }
    let partial = py.import(intern!(py, "functools"))?.getattr(intern!(py, "partial"))?;
    if callable.is_instance(&partial)? {
        return call_name(&callable.getattr(intern!(py, "func"))?);
    }
    Ok(callable.get_type().name()?.to_string())
}

/// The context of `method` before it has a place in a tree.
///
/// Errors: `TypeError` if it is neither `None` nor callable.
pub(crate) fn path_of_method(method: Option<&Bound<'_, PyAny>>, class: &str) -> PyResult<Rc<Path>> {
    match method {
        None => Ok(Path::literal("")),
        Some(method) if method.is_callable() => Ok(Path::literal(&call_name(method)?)),
        Some(other) => Err(PyTypeError::new_err(format!(
            "{class} expects a callable or None, got {}",
            other.repr()?
        ))),
    }
}

#[pymethods]
impl Context {
    /// Takes whatever the `__init__` of a subclass takes.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(method=None)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::of(Path::literal(""), None)
    }

    #[pyo3(signature = (method=None))]
    fn __init__(&self, py: Python<'_>, method: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let path = path_of_method(method.as_ref(), "Context")?;
        self.set_path(py, path);
        self.method.set(py, method.map(Bound::unbind));
        Ok(())
    }

    #[getter]
    fn value(&self, py: Python<'_>) -> String {
        self.path(py).text()
    }

    #[setter]
    fn set_value(&self, py: Python<'_>, value: &str) {
        self.set_path(py, Path::literal(value));
    }

    #[getter]
    fn method(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.method.object(py)
    }

    #[setter]
    fn set_method(&self, py: Python<'_>, method: Option<Py<PyAny>>) {
        self.method.set(py, method);
    }

    fn prepend_method_class(&self, py: Python<'_>) -> PyResult<()> {
        let owner = match self.method.object(py) {
            Some(method) => owner_of(method.bind(py))?,
            None => String::new(),
        };
        let value = format!("{owner}:{}", self.path(py));
        self.set_path(py, Path::literal(&value));
        Ok(())
    }

    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        attributes::get(slf.as_any(), &slf.get().attributes, name)
    }

    fn __setattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        attributes::set(slf.as_any(), &slf.get().attributes, name, Some(value))
    }

    fn __delattr__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyString>) -> PyResult<()> {
        attributes::set(slf.as_any(), &slf.get().attributes, name, None)
    }

    #[getter]
    fn __dict__(&self, py: Python<'_>) -> Py<PyDict> {
        attributes::all(py, &self.attributes)
    }

    fn __str__(&self, py: Python<'_>) -> String {
        self.value(py)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.value(py).into_pyobject(py)?.repr()?.into_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.method.set(py, None);
        self.attributes.set(py, None);
    }
}
