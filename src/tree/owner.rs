//! Who a root call belongs to: the class that defines the method, else the module.

use std::rc::Rc;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};
use pyo3::{PyTypeInfo, intern};

use phanos_core::path::{Path, PathCache};

use crate::interp::gil_cell::GilCell;
use crate::tree::decorated_class::is_decorated;

/// What stands before the `:` of a root call of `callable`.
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
        return match ModuleAttribute::named_by(callable)? {
            Some(place) => place.class(py),
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

/// A real function, or one of ours around a real one.
fn is_function(callable: &Bound<'_, PyAny>) -> bool {
    pyo3::types::PyFunction::is_exact_type_of(callable) || is_decorated(callable)
}

/// The place in a module where the class of a method would be found.
pub(crate) struct ModuleAttribute {
    namespace: Py<PyDict>,
    name: Py<PyString>,
}

impl ModuleAttribute {
    /// `None` if the function's module is not imported (any more).
    fn named_by(function: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
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

    fn class<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyType>>> {
        let found = self.namespace.bind(py).get_item(&self.name)?;
        Ok(found.and_then(|object| object.cast_into::<PyType>().ok()))
    }
}

/// A decorated function's path as a root, `Owner:name`, remembered once it is certain.
pub(crate) enum RootPath {
    Unknown,
    Certain(Rc<Path>),
    /// No class found so far. The class may appear later (the function ran before its
    /// class statement was through), so each root call looks once more: one dict look-up.
    Module {
        place: ModuleAttribute,
        path: Rc<Path>,
    },
}

impl RootPath {
    /// The path, if it can no longer change.
    pub(crate) fn certain(&self) -> Option<Rc<Path>> {
        match self {
            Self::Certain(path) => Some(Rc::clone(path)),
            _ => None,
        }
    }

    /// What the path is now; `None` asks for [`resolve`].
    pub(crate) fn current(&self, py: Python<'_>) -> Option<Rc<Path>> {
        match self {
            Self::Unknown => None,
            Self::Certain(path) => Some(Rc::clone(path)),
            Self::Module { place, path } => match place.class(py) {
                Ok(None) => Some(Rc::clone(path)),
                _ => None,
            },
        }
    }
}

/// Works the path of root calls of `callable` out.
pub(crate) fn resolve(
    callable: &Bound<'_, PyAny>,
    name: &str,
    paths: &GilCell<PathCache>,
) -> (Rc<Path>, RootPath) {
    let owner = owner_of(callable).unwrap_or_default();
    let text: Arc<str> = format!("{owner}:{name}").into();
    let path = paths.with(callable.py(), |paths| paths.root(&text));
    let place = if is_function(callable) && !matches!(defining_class(callable), Ok(Some(_))) {
        ModuleAttribute::named_by(callable).ok().flatten()
    } else {
        None
    };
    let state = match place {
        Some(place) => RootPath::Module { place, path: Rc::clone(&path) },
        None => RootPath::Certain(Rc::clone(&path)),
    };
    (path, state)
}
