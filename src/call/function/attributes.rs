//! Attributes of a decorated function: its own, those of the function that it wraps, and for a
//! wrapped builtin, class or object those of a stand-in.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr;

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::{Layout, ProfiledFunction};
use crate::interp::entry::enter;
use crate::interp::once::GilOnce;

/// A plain Python function: its attributes stand in for those that a wrapped builtin, class or
/// object lacks.
static TEMPLATE: GilOnce<Py<PyAny>> = GilOnce::new();

/// Sets the function whose attributes stand in, unless there is one.
pub(super) fn set_template(template: &Bound<'_, PyAny>) {
    TEMPLATE.set(template.py(), template.clone().unbind());
}

/// The type of functions: what `__class__` says.
pub(super) unsafe extern "C" fn get_class(
    _: *mut ffi::PyObject,
    _: *mut c_void,
) -> *mut ffi::PyObject {
    // SAFETY: the type is static.
    unsafe { ffi::Py_NewRef((&raw mut ffi::PyFunction_Type).cast()) }
}

/// Attributes that no plain function has: those of a wrapped method are hidden.
const HIDDEN: [&str; 2] = ["__self__", "__func__"];

/// Which dict of a decorated function has what was set on it.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// `__dict__`, which users see.
    Dict,
    /// For the attributes that functions have beside their `__dict__`; see `special_attributes`.
    Special,
}

/// Looks an attribute up on the object itself, then on the function that it wraps.
pub(super) unsafe extern "C" fn get(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter(|py| {
        // SAFETY: both are valid objects, the first of this layout.
        let (object, name) =
            unsafe { (Bound::from_borrowed_ptr(py, object), Bound::from_borrowed_ptr(py, name)) };
        match look_up(&object, &name) {
            Ok(value) => value.into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
}

fn look_up<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    // SAFETY: both are valid objects.
    let own = unsafe {
        let own = ffi::PyObject_GenericGetAttr(object.as_ptr(), name.as_ptr());
        Bound::from_owned_ptr_or_err(py, own)
    };
    let missing = match own {
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => error,
        found => return found,
    };
    let name = name.cast::<PyString>()?;
    if HIDDEN.contains(&&*name.to_string_lossy()) {
        return Err(missing);
    }
    look_up_inside(object, name, Place::Dict)?.ok_or(missing)
}

/// Looks up what is not the object's own: on the layers inside it, since a function may be
/// decorated more than once, on the function, and on what stands in for one.
pub(super) fn look_up_inside<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    place: Place,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    let mut innermost = object.clone();
    for layer in layers(object) {
        if !layer.is(object)
            && let Some(value) = own_item(&layer, name, place)?
        {
            return Ok(Some(value));
        }
        innermost = layer;
    }
    let info = ProfiledFunction::info_of(&innermost);
    if let Some(value) = info.function.bind(py).getattr_opt(name)? {
        return Ok(Some(value));
    }
    // `inspect` reads `__code__` and the like of every object that says it is a function: it gets
    // those of the wrapper, which is of the right kind, or those of the template.
    let text = name.to_string_lossy();
    if text == "__name__" || text == "__qualname__" {
        return Ok(Some(PyString::new(py, &info.name).into_any()));
    }
    let stand_in =
        wrapper_of(&innermost).or_else(|| TEMPLATE.get(py).map(|it| it.bind(py).clone()));
    match stand_in.filter(|_| text.starts_with("__")) {
        Some(stand_in) => stand_in.getattr_opt(name),
        None => Ok(None),
    }
}

/// A decorated function and those inside it, outermost first. There may be any number of them.
pub(super) fn layers<'py>(
    object: &Bound<'py, PyAny>,
) -> impl Iterator<Item = Bound<'py, PyAny>> + use<'py> {
    std::iter::successors(Some(object.clone()), |layer| {
        let wrapped = ProfiledFunction::info_of(layer).function.bind(layer.py());
        ProfiledFunction::is(wrapped).then(|| wrapped.clone())
    })
}

/// The Python function that runs the body of a decorated function, if one does.
pub(super) fn wrapper_of<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: an object of this layout; the wrapper is null or a valid object.
    unsafe {
        let layout = object.as_ptr().cast::<Layout>();
        Bound::from_borrowed_ptr_or_opt(object.py(), (*layout).wrapper)
    }
}

/// The item `name` of one of the dicts of a decorated function.
pub(super) fn own_item<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    place: Place,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: an object of this layout; the dicts are null or valid objects.
    let dict = unsafe {
        let layout = object.as_ptr().cast::<Layout>();
        let dict = match place {
            Place::Dict => (*layout).dict,
            Place::Special => (*layout).special,
        };
        Bound::from_borrowed_ptr_or_opt(object.py(), dict)
    };
    match dict {
        Some(dict) => dict.cast::<PyDict>()?.get_item(name),
        None => Ok(None),
    }
}
