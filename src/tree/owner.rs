//! The owner of a root call: the class that defines the method, else the module.

use std::rc::Rc;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};
use pyo3::{PyTypeInfo, ffi};

use phanos_core::path::Path;
use phanos_core::path_cache::PathCache;

use crate::interp::entry::registered;
use crate::interp::gil_cell::GilCell;
use crate::interp::once::intern;
use crate::tree::decorated_class::is_decorated;

/// The owner that the context of a root call of `callable` names before its `:`.
///
/// For functions the class is the module's attribute named by `__qualname__` up to
/// `.<locals>` less its last part, so a method of a nested class gets the module's name.
pub(crate) fn owner_of(callable: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = callable.py();
    if let Some(class) = defining_class(callable)? {
        return class.name().map(|name| name.to_string());
    }
    let module = match callable.getattr_opt(intern!(py, "__module__"))? {
        Some(name) if !name.is_none() => name.str()?.to_string(),
        _ => return Ok(String::new()),
    };
    Ok(module.rsplit('.').next().unwrap_or_default().to_owned())
}

fn defining_class<'py>(callable: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyType>>> {
    let py = callable.py();
    if is_function(callable) {
        return match ModuleAttribute::of_class(callable)? {
            Some(attribute) => attribute.get(py),
            None => Ok(None),
        };
    }
    if let Some(holder) = callable.getattr_opt(intern!(py, "__objclass__"))? {
        return Ok(holder.cast_into::<PyType>().ok());
    }
    let (Some(function), Some(bound_to)) = (
        callable.getattr_opt(intern!(py, "__func__"))?,
        callable.getattr_opt(intern!(py, "__self__"))?,
    ) else {
        return Ok(None);
    };
    // A bound method: the class in the resolution order that holds a function of this name.
    let class = match bound_to.cast::<PyType>() {
        Ok(class) => class.clone(),
        Err(_) => bound_to.get_type(),
    };
    let name = function.getattr(intern!(py, "__name__"))?;
    for candidate in class.mro() {
        let namespace = candidate.getattr(intern!(py, "__dict__"))?;
        if namespace.contains(&name)? {
            return Ok(candidate.cast_into::<PyType>().ok());
        }
    }
    Ok(None)
}

/// True for a function written in Python, decorated or not.
fn is_function(callable: &Bound<'_, PyAny>) -> bool {
    pyo3::types::PyFunction::is_exact_type_of(callable) || is_decorated(callable)
}

/// The attribute of a module that holds the class of a method, or would hold it.
pub(crate) struct ModuleAttribute {
    namespace: Py<PyDict>,
    name: Py<PyString>,
}

impl ModuleAttribute {
    /// The attribute that `__qualname__` of `function` names; `None` if its module is not imported
    /// (any more).
    fn of_class(function: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = function.py();
        let qualname = function.getattr(intern!(py, "__qualname__"))?.str()?.to_string();
        let outermost = qualname.split(".<locals>").next().unwrap_or_default();
        let holder = outermost.rsplit_once('.').map_or(outermost, |(holder, _)| holder);
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let Ok(module) = modules.get_item(function.getattr(intern!(py, "__module__"))?) else {
            return Ok(None);
        };
        let Some(namespace) = module.getattr_opt(intern!(py, "__dict__"))? else {
            return Ok(None);
        };
        let Ok(namespace) = namespace.cast_into::<PyDict>() else {
            return Ok(None);
        };
        Ok(Some(Self { namespace: namespace.unbind(), name: PyString::new(py, holder).unbind() }))
    }

    /// The value, if it is a class.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyType>>> {
        let found = self.namespace.bind(py).get_item(&self.name)?;
        Ok(found.and_then(|object| object.cast_into::<PyType>().ok()))
    }
}

/// The path of root calls of a decorated function, `Owner:name`.
pub(crate) enum RootPath {
    /// Not looked for yet.
    Unknown,
    /// It cannot change any more.
    Certain(Rc<Path>),
    /// The owner is the module, since no class was found. The class may appear later, if the
    /// function is called while its class statement runs, so each root call looks once more, by
    /// one look-up in a dict.
    Provisional { class: ModuleAttribute, path: Rc<Path> },
}

impl RootPath {
    /// The path, if it cannot change any more.
    pub(crate) fn certain(&self) -> Option<Rc<Path>> {
        match self {
            Self::Certain(path) => Some(Rc::clone(path)),
            _ => None,
        }
    }

    /// The module's dict, as a borrowed pointer, for the collector: functions of the module are in
    /// there, so what holds it may be in a circle.
    pub(crate) fn namespace(&self) -> Option<*mut ffi::PyObject> {
        match self {
            Self::Provisional { class, .. } => Some(class.namespace.as_ptr()),
            _ => None,
        }
    }

    /// The path of a call that begins now; `None` if [`resolve`] has to find it.
    pub(crate) fn current(&self, py: Python<'_>) -> Option<Rc<Path>> {
        match self {
            Self::Unknown => None,
            Self::Certain(path) => Some(Rc::clone(path)),
            Self::Provisional { class, path } => match class.get(py) {
                Ok(None) => Some(Rc::clone(path)),
                Ok(Some(_)) => None,
                Err(error) => {
                    registered(py, || drop(error));
                    None
                }
            },
        }
    }
}

/// Finds the path of root calls of `callable`, and whether it can still change.
pub(crate) fn resolve(
    callable: &Bound<'_, PyAny>,
    name: &str,
    paths: &GilCell<PathCache>,
) -> (Rc<Path>, RootPath) {
    let owner = owner_of(callable).unwrap_or_default();
    let text: Arc<str> = format!("{owner}:{name}").into();
    let path = paths.with(callable.py(), |paths| paths.root(&text));
    let class = if is_function(callable) && !matches!(defining_class(callable), Ok(Some(_))) {
        ModuleAttribute::of_class(callable).ok().flatten()
    } else {
        None
    };
    let root = match class {
        Some(class) => RootPath::Provisional { class, path: Rc::clone(&path) },
        None => RootPath::Certain(Rc::clone(&path)),
    };
    (path, root)
}
