//! `phanos.tree.Context`: the dotted context of a node, for users.

use std::rc::Rc;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use phanos_core::path::Path;

use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::GilCell;
use crate::interp::once::intern;
use crate::tree::attributes::{self, HasAttributes};
use crate::tree::owner::owner_of;

struct State {
    path: Rc<Path>,
    method: Option<Py<PyAny>>,
    attributes: Option<Py<PyDict>>,
}

#[pyclass(name = "Context", module = "phanos.tree", subclass, frozen, weakref)]
pub(crate) struct Context {
    state: GilCell<State>,
}

impl_traverse!(State { attributes, method });
impl_traverse!(Context { state });

impl Context {
    pub(crate) fn of(path: Rc<Path>, method: Option<Py<PyAny>>) -> Self {
        Self { state: GilCell::new(State { path, method, attributes: None }) }
    }

    pub(crate) fn path(&self, py: Python<'_>) -> Rc<Path> {
        self.state.with(py, |state| Rc::clone(&state.path))
    }

    pub(crate) fn set_path(&self, py: Python<'_>, path: Rc<Path>) {
        let before = self.state.with(py, |state| std::mem::replace(&mut state.path, path));
        drop(before);
    }

    fn method_object(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.with(py, |state| state.method.as_ref().map(|method| method.clone_ref(py)))
    }
}

impl HasAttributes for Context {
    fn attributes(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.state.with(py, |state| state.attributes.as_ref().map(|dict| dict.clone_ref(py)))
    }

    fn set_attributes(&self, py: Python<'_>, attributes: Py<PyDict>) {
        let before = self.state.with(py, |state| state.attributes.replace(attributes));
        drop(before);
    }
}

/// The name of `callable` in contexts: its `__name__`, else that of the callable inside a
/// `functools.partial`, else the name of its class.
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

/// The path of a context or node made for `method`, before it is in a tree. `class` is the name
/// of the class being made, for the message.
///
/// Errors: `TypeError` if `method` is neither `None` nor callable.
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
    /// Ignores the arguments: the `__init__` of a subclass may take any.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(method=None)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::of(Path::literal(""), None)
    }

    #[pyo3(signature = (method=None))]
    fn __init__(&self, py: Python<'_>, method: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let path = path_of_method(method.as_ref(), "Context")?;
        self.set_path(py, path);
        self.set_method(py, method.map(Bound::unbind));
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
        self.method_object(py)
    }

    #[setter]
    fn set_method(&self, py: Python<'_>, method: Option<Py<PyAny>>) {
        let before = self.state.with(py, |state| std::mem::replace(&mut state.method, method));
        drop(before);
    }

    fn prepend_method_class(&self, py: Python<'_>) -> PyResult<()> {
        let owner = match self.method_object(py) {
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
        attributes::get(slf, name)
    }

    fn __setattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        attributes::set(slf, name, Some(value))
    }

    fn __delattr__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyString>) -> PyResult<()> {
        attributes::set(slf, name, None)
    }

    #[getter]
    fn __dict__(slf: &Bound<'_, Self>) -> Py<PyDict> {
        attributes::dict(slf)
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
        let taken = self.state.with(py, |state| (state.method.take(), state.attributes.take()));
        drop(taken);
    }
}
