//! Attributes of a decorated function: its own, those of the function that it wraps, and for a
//! wrapped builtin, class or object those of a stand-in.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ptr;

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use super::{Layout, ProfiledFunction};
use crate::interp::entry::enter;

/// A plain Python function: its attributes stand in for those that a wrapped builtin, class or
/// object lacks.
static TEMPLATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Sets the function whose attributes stand in, unless there is one.
pub(super) fn set_template(template: &Bound<'_, PyAny>) {
    TEMPLATE.get_or_init(template.py(), || template.clone().unbind());
}

/// The type of functions: what `__class__` says.
pub(super) unsafe extern "C" fn get_class(
    _: *mut ffi::PyObject,
    _: *mut c_void,
) -> *mut ffi::PyObject {
    // SAFETY: the type is static.
    unsafe { ffi::Py_NewRef((&raw mut ffi::PyFunction_Type).cast()) }
}

/// Attributes that every type has, or gets when they are first read (`__annotations__`). The
/// interpreter would find those of the type; here those of the function are wanted.
const OF_THE_FUNCTION: [&str; 5] =
    ["__doc__", "__module__", "__annotations__", "__annotate__", "__type_params__"];
/// Attributes that no plain function has: those of a wrapped method are hidden.
const HIDDEN: [&str; 2] = ["__self__", "__func__"];

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

/// Sets an attribute as for any object, except `__code__`, which is set on the wrapped function.
///
/// `types.coroutine` sets it on a generator function, to make what that returns awaitable: what the
/// wrapper returns has to be awaitable as well.
pub(super) unsafe extern "C" fn set(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    let mut result = -1;
    enter(|py| {
        // SAFETY: valid objects, the first of this layout, the last null to delete.
        let (attribute, new_value, function, wrapper) = unsafe {
            let layout = &*object.cast::<Layout>();
            (
                Bound::from_borrowed_ptr(py, name),
                Bound::from_borrowed_ptr_or_opt(py, value),
                (*layout.info).function.bind(py),
                Bound::from_borrowed_ptr_or_opt(py, layout.wrapper),
            )
        };
        let is_code = attribute.cast::<PyString>().is_ok_and(|name| name == "__code__");
        let done = match new_value {
            Some(code) if is_code && function.hasattr(intern!(py, "__code__")).unwrap_or(false) => {
                set_code(function, wrapper.as_ref(), &code)
            }
            // SAFETY: as above.
            _ => match unsafe { ffi::PyObject_GenericSetAttr(object, name, value) } {
                0 => Ok(()),
                _ => Err(PyErr::fetch(py)),
            },
        };
        match done {
            Ok(()) => result = 0,
            Err(error) => error.restore(py),
        }
        ptr::null_mut()
    });
    result
}

fn set_code(
    function: &Bound<'_, PyAny>,
    wrapper: Option<&Bound<'_, PyAny>>,
    code: &Bound<'_, PyAny>,
) -> PyResult<()> {
    const CO_ITERABLE_COROUTINE: u32 = 0x100;
    let py = function.py();
    function.setattr(intern!(py, "__code__"), code)?;
    let flags = |code: &Bound<'_, PyAny>| code.getattr(intern!(py, "co_flags"))?.extract::<u32>();
    if let Some(wrapper) = wrapper
        && flags(code)? & CO_ITERABLE_COROUTINE != 0
    {
        let own = wrapper.getattr(intern!(py, "__code__"))?;
        let changed = PyDict::new(py);
        changed.set_item(intern!(py, "co_flags"), flags(&own)? | CO_ITERABLE_COROUTINE)?;
        let own = own.call_method(intern!(py, "replace"), (), Some(&changed))?;
        wrapper.setattr(intern!(py, "__code__"), own)?;
    }
    Ok(())
}

fn look_up<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let text = name.cast::<PyString>()?.to_string_lossy();
    let mut missing = None;
    if OF_THE_FUNCTION.contains(&&*text) {
        if let Some(value) = own_item(object, name)? {
            return Ok(value);
        }
    } else {
        // SAFETY: both are valid objects.
        let own = unsafe {
            let own = ffi::PyObject_GenericGetAttr(object.as_ptr(), name.as_ptr());
            Bound::from_owned_ptr_or_err(py, own)
        };
        match own {
            Err(error) if error.is_instance_of::<PyAttributeError>(py) => missing = Some(error),
            found => return found,
        }
    }
    if HIDDEN.contains(&&*text)
        && let Some(missing) = missing
    {
        return Err(missing);
    }
    // A loop over the layers and no recursion: a function may be decorated any number of times.
    let mut layer = object.clone();
    let function = loop {
        let wrapped = ProfiledFunction::info_of(&layer).function.bind(py).clone();
        if !ProfiledFunction::is(&wrapped) {
            break wrapped;
        }
        layer = wrapped;
        if let Some(value) = own_item(&layer, name)? {
            return Ok(value);
        }
    };
    if let Some(value) = function.getattr_opt(name.cast::<PyString>()?)? {
        return Ok(value);
    }
    // `inspect` reads `__code__` and the like of every object that says it is a function: it gets
    // those of the wrapper, which is of the right kind, or those of the template.
    if text == "__name__" || text == "__qualname__" {
        return Ok(PyString::new(py, &ProfiledFunction::info_of(&layer).name).into_any());
    }
    // SAFETY: an object of this layout; the wrapper is null or a valid object.
    let wrapper =
        unsafe { Bound::from_borrowed_ptr_or_opt(py, (*layer.as_ptr().cast::<Layout>()).wrapper) };
    let stand_in = wrapper.or_else(|| TEMPLATE.get(py).map(|it| it.bind(py).clone()));
    let found = match stand_in.filter(|_| text.starts_with("__")) {
        Some(stand_in) => stand_in.getattr_opt(name.cast::<PyString>()?)?,
        None => None,
    };
    found.ok_or_else(|| missing.unwrap_or_else(|| PyAttributeError::new_err(text.into_owned())))
}

/// The item `name` of a decorated function's dict.
fn own_item<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: an object of this layout; the dict is null or a valid object.
    let dict = unsafe {
        Bound::from_borrowed_ptr_or_opt(object.py(), (*object.as_ptr().cast::<Layout>()).dict)
    };
    match dict {
        Some(dict) => dict.cast::<PyDict>()?.get_item(name),
        None => Ok(None),
    }
}
