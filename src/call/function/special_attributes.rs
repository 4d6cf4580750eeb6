//! The attributes that every function has beside its `__dict__`, as descriptors of the type.
//!
//! `help()`, `inspect.getattr_static` and others read them by `object.__getattribute__`, which
//! finds what the type and the `__dict__` have and nothing else. They are read from the wrapped
//! function, can be set where a function's can, and refuse what a function's refuse.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
#[cfg(Py_3_12)]
use pyo3::types::PyTuple;
use pyo3::types::{PyDict, PyString};

use super::attributes::{self, Place};
use super::{Layout, ProfiledFunction, code};
use crate::convert::text::class_name;
use crate::interp::entry::enter;
use crate::interp::once::intern;

/// One attribute.
pub(super) struct Special {
    pub(super) name: &'static CStr,
    access: Access,
}

/// What setting an attribute does.
#[derive(Clone, Copy)]
enum Access {
    ReadOnly,
    /// The wrapped function gets it: it belongs to the code, which calls run.
    OfFunction,
    /// The decorated function gets it, and the wrapped one keeps its own.
    Own(Accepted),
}

/// What an attribute may be set to.
#[derive(Clone, Copy)]
enum Accepted {
    Anything,
    Text,
    DictOrNone,
    #[cfg(Py_3_12)]
    Tuple,
    #[cfg(Py_3_14)]
    CallableOrNone,
}

const fn special(name: &'static CStr, access: Access) -> Special {
    Special { name, access }
}

pub(super) static ALL: &[Special] = &[
    special(c"__annotations__", Access::Own(Accepted::DictOrNone)),
    special(c"__builtins__", Access::ReadOnly),
    special(c"__closure__", Access::ReadOnly),
    special(c"__code__", Access::OfFunction),
    special(c"__defaults__", Access::OfFunction),
    special(c"__doc__", Access::Own(Accepted::Anything)),
    special(c"__globals__", Access::ReadOnly),
    special(c"__kwdefaults__", Access::OfFunction),
    special(c"__module__", Access::Own(Accepted::Anything)),
    special(c"__name__", Access::Own(Accepted::Text)),
    special(c"__qualname__", Access::Own(Accepted::Text)),
    #[cfg(Py_3_12)]
    special(c"__type_params__", Access::Own(Accepted::Tuple)),
    #[cfg(Py_3_14)]
    special(c"__annotate__", Access::Own(Accepted::CallableOrNone)),
];

impl Special {
    /// The entry of the type's table of descriptors.
    pub(super) fn property(&'static self) -> ffi::PyGetSetDef {
        ffi::PyGetSetDef {
            name: self.name.as_ptr(),
            get: Some(get),
            set: Some(set),
            doc: ptr::null(),
            closure: ptr::from_ref(self).cast_mut().cast(),
        }
    }

    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::intern(py, &self.name.to_string_lossy())
    }
}

unsafe extern "C" fn get(object: *mut ffi::PyObject, closure: *mut c_void) -> *mut ffi::PyObject {
    enter(|py| {
        // SAFETY: the descriptor's protocol: a valid object of this layout, and the closure of
        // `property`.
        let (object, special) =
            unsafe { (Bound::from_borrowed_ptr(py, object), &*closure.cast::<Special>()) };
        match read(&object, special) {
            Ok(value) => value.into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
}

fn read<'py>(object: &Bound<'py, PyAny>, special: &Special) -> PyResult<Bound<'py, PyAny>> {
    let name = special.name(object.py());
    if let Some(value) = attributes::own_item(object, &name, Place::Special)? {
        return Ok(value);
    }
    let found = attributes::look_up_inside(object, &name, Place::Special)?;
    found.ok_or_else(|| PyAttributeError::new_err(name.to_string()))
}

unsafe extern "C" fn set(
    object: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    closure: *mut c_void,
) -> c_int {
    let mut result = -1;
    enter(|py| {
        // SAFETY: as in `get`; the value is null to delete.
        let (object, value, special) = unsafe {
            (
                Bound::from_borrowed_ptr(py, object),
                Bound::from_borrowed_ptr_or_opt(py, value),
                &*closure.cast::<Special>(),
            )
        };
        match write(&object, special, value.as_ref()) {
            Ok(()) => result = 0,
            Err(error) => error.restore(py),
        }
        ptr::null_mut()
    });
    result
}

/// Sets an attribute, or deletes it if there is no `value`.
fn write<'py>(
    object: &Bound<'py, PyAny>,
    special: &Special,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    let name = special.name(object.py());
    match special.access {
        Access::ReadOnly => Err(PyAttributeError::new_err("readonly attribute")),
        Access::OfFunction => write_to_function(object, &name, value),
        Access::Own(accepted) => {
            let value = accepted.checked(&name, value)?;
            own_dict(object)?.set_item(name, value)
        }
    }
}

impl Accepted {
    /// The value as it is kept. Deleting an attribute of a function leaves an empty one, or is
    /// refused as a wrong value is.
    fn checked<'py>(
        self,
        name: &Bound<'py, PyString>,
        value: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        let given = value.cloned().unwrap_or_else(|| py.None().into_bound(py));
        let (is_right, expected) = match self {
            Self::Anything => (true, ""),
            Self::Text => (given.is_instance_of::<PyString>(), "a string object"),
            Self::DictOrNone if given.is_none() => return Ok(PyDict::new(py).into_any()),
            Self::DictOrNone => (given.is_instance_of::<PyDict>(), "a dict object"),
            #[cfg(Py_3_12)]
            Self::Tuple => (given.is_instance_of::<PyTuple>(), "a tuple"),
            #[cfg(Py_3_14)]
            Self::CallableOrNone => {
                let is_right = value.is_some() && (given.is_none() || given.is_callable());
                (is_right, "a callable or None")
            }
        };
        if is_right {
            return Ok(given);
        }
        let given = value.map_or_else(|| "nothing".into(), |value| class_name(value));
        Err(PyTypeError::new_err(format!("{name} must be set to {expected}, got {given}")))
    }
}

/// The dict of what was set on a decorated function itself.
fn own_dict<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = object.py();
    // SAFETY: an object of this layout; the dict is null or a valid object.
    unsafe {
        let layout = object.as_ptr().cast::<Layout>();
        if (*layout).special.is_null() {
            let made = PyDict::new(py);
            // Making it can run the garbage collector, and that code which sets an attribute.
            if (*layout).special.is_null() {
                (*layout).special = made.into_ptr();
            }
        }
        Ok(Bound::from_borrowed_ptr(py, (*layout).special).cast_into::<PyDict>()?)
    }
}

fn write_to_function<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    let py = object.py();
    let layers: Vec<_> = attributes::layers(object).collect();
    let innermost = layers.last().unwrap_or(object);
    let function = ProfiledFunction::info_of(innermost).function.bind(py);
    let is_code = name == "__code__";
    if function.hasattr(name)? {
        match value {
            Some(value) => function.setattr(name, value)?,
            None => function.delattr(name)?,
        }
        if is_code {
            // Innermost first: what wraps a layer is made from what that is now.
            for layer in layers.iter().rev() {
                code::follow(layer)?;
            }
        }
        return Ok(());
    }
    // A partial of a generator function, say: `types.coroutine` makes awaitable what it returns.
    if let (true, Some(value)) = (is_code, value)
        && let Some(wrapper) = attributes::wrapper_of(innermost)
        && code::is_iterable_coroutine_of(value, &wrapper.getattr(intern!(py, "__code__"))?)?
    {
        return layers.iter().try_for_each(code::make_awaitable);
    }
    // A builtin or a class has none, and takes what is set as any attribute.
    let dict = own_dict(object)?;
    match value {
        Some(value) => dict.set_item(name, value),
        None if dict.contains(name)? => dict.del_item(name),
        None => Err(PyAttributeError::new_err(name.to_string())),
    }
}
