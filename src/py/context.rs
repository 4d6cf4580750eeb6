//! `phanos.tree.Context`: the dotted context of a node as users see it.

use std::rc::Rc;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use crate::core::path::Path;

use super::gil_cell::GilCell;
use super::owner::owner_of;

#[pyclass(name = "Context", module = "phanos.tree", subclass, frozen, weakref)]
pub(crate) struct Context {
    path: GilCell<Rc<Path>>,
    method: GilCell<Option<Py<PyAny>>>,
}

impl Context {
    pub(crate) fn of(path: Rc<Path>, method: Option<Py<PyAny>>) -> Self {
        Self { path: GilCell::new(path), method: GilCell::new(method) }
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
    if let Some(name) = callable.getattr_opt(intern!(py, "__name__"))? {
        return Ok(name.str()?.to_string());
    }
    match callable.getattr_opt(intern!(py, "func"))? {
        Some(inner) if inner.is_callable() => call_name(&inner),
        _ => Ok(callable.get_type().name()?.to_string()),
    }
}

#[pymethods]
impl Context {
    #[new]
    #[pyo3(signature = (method=None))]
    fn new(method: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(method) = method else {
            return Ok(Self::of(Path::literal(""), None));
        };
        if !method.is_callable() {
            return Err(PyTypeError::new_err(format!(
                "Context expects a callable or None, got {}",
                method.repr()?
            )));
        }
        let name = call_name(&method)?;
        Ok(Self::of(Path::literal(&name), Some(method.unbind())))
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

    fn __str__(&self, py: Python<'_>) -> String {
        self.value(py)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.value(py).into_pyobject(py)?.repr()?.into_any())
    }

    #[allow(unsafe_code)]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs with the interpreter lock held.
        unsafe { self.method.try_with(|method| visit.call(&*method)) }.unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.method.set(py, None);
    }
}
