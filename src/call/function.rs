//! The decorated function: a native callable that every caller may take for a Python function.
//!
//! A Python closure around one Rust call costs 70 to 80 ns when nothing is recorded, and 55 ns more
//! when something is (a frame, a tuple of arguments, a dict). This type is called through the
//! vectorcall protocol instead, passes its arguments on as they came, binds like a method
//! (`METHOD_DESCRIPTOR`), says that its `__class__` is `function`, and looks up what it lacks on
//! the function that it wraps.
//!
//! | module        | concept |
//! |---------------|---------|
//! | this one      | the object in memory |
//! | `decorate`    | making one around a function |
//! | `type_object` | its type: the table of slots, binding, `repr`, pickling |
//! | `attributes`  | attributes: its own, those of the wrapped function, those of a stand-in |
//! | `special_attributes` | those that functions have beside their `__dict__` |
//! | `code`        | what runs the body, and code that is replaced |
//! | `free`        | what the garbage collector sees of it, and how it is freed |

#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

use crate::profiler::function_info::FunctionInfo;
use crate::tree::decorated_class::is_decorated;

mod attributes;
mod code;
pub(crate) mod decorate;
mod free;
mod special_attributes;
mod type_object;

/// Which kind of function is wrapped: it decides how the body is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FunctionKind {
    /// The body runs within the call.
    Plain,
    /// A coroutine function: a Python wrapper of the same kind runs the body after the call.
    Coroutine,
    /// A generator function, asynchronous or not: the same.
    Generator,
}

impl FunctionKind {
    fn of(has_wrapper: bool, is_coroutine: bool) -> Self {
        match (has_wrapper, is_coroutine) {
            (false, _) => Self::Plain,
            (true, true) => Self::Coroutine,
            (true, false) => Self::Generator,
        }
    }
}

/// The object as the interpreter sees it.
#[repr(C)]
pub(crate) struct Layout {
    base: ffi::PyObject,
    vectorcall: Option<ffi::vectorcallfunc>,
    dict: *mut ffi::PyObject,
    /// What was set of the attributes that functions have beside their dict. Null for nothing.
    special: *mut ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    /// The Python wrapper that runs the body. Null for [`FunctionKind::Plain`], and once the
    /// garbage collector cleared the object.
    pub(crate) wrapper: *mut ffi::PyObject,
    /// From `Box::into_raw`; never null once the object is made.
    pub(crate) info: *const FunctionInfo,
    pub(crate) kind: FunctionKind,
}

/// Access to decorated functions.
pub(crate) struct ProfiledFunction;

impl ProfiledFunction {
    pub(crate) fn is(object: &Bound<'_, PyAny>) -> bool {
        is_decorated(object)
    }

    /// The info of `object`, which must be a decorated function.
    pub(crate) fn info_of<'a>(object: &'a Bound<'_, PyAny>) -> &'a FunctionInfo {
        debug_assert!(Self::is(object), "not a decorated function");
        // SAFETY: the object has this layout, and the info lives as long as the object.
        unsafe { &*(*object.as_ptr().cast::<Layout>()).info }
    }

    /// The info of `object`; `None` if it is no decorated function.
    pub(crate) fn info<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a FunctionInfo> {
        Self::is(object).then(|| Self::info_of(object))
    }
}
