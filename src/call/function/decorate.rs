//! Decorating: the native callable is made around a function.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{FunctionKind, Layout, attributes, code, type_object};
use crate::call::native_call::vectorcall;
use crate::interp::once::intern;
use crate::profiler::core::ProfilerCore;
use crate::profiler::function_info::FunctionInfo;
use crate::tree::{decorated_class, qualified};

/// Sets what decorated functions need of the Python side, once.
///
/// `wrap` is called with a function whose code was replaced; it returns what [`decorate`] takes.
/// `template` is a plain function, whose attributes stand in for those that a wrapped builtin, class
/// or object lacks. `qualify` returns the name of a function with its class; `qualify_on`, of a method
/// and a class, that with the class of the object.
#[pyfunction]
pub(crate) fn support_functions(
    wrap: &Bound<'_, PyAny>,
    template: &Bound<'_, PyAny>,
    qualify: &Bound<'_, PyAny>,
    qualify_on: &Bound<'_, PyAny>,
) {
    code::set_wrap(wrap);
    attributes::set_template(template);
    qualified::set_qualify(qualify, qualify_on);
}

/// Decorates `function`.
///
/// `wrapper` is given for coroutine functions (`is_coroutine`) and generator functions: it runs the
/// body.
#[pyfunction]
#[pyo3(signature = (core, function, name, wrapper, is_coroutine, is_chosen=false))]
pub(crate) fn decorate<'py>(
    core: &Bound<'py, ProfilerCore>,
    function: &Bound<'py, PyAny>,
    name: &str,
    wrapper: Option<Bound<'py, PyAny>>,
    is_coroutine: bool,
    is_chosen: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = core.py();
    if !function.is_callable() {
        return Err(PyTypeError::new_err(format!("expected a callable, got {}", function.repr()?)));
    }
    let info = FunctionInfo::new(function.clone().unbind(), core.clone().unbind(), name, is_chosen);
    let kind = FunctionKind::of(wrapper.is_some(), is_coroutine);
    let dict = PyDict::new(py);
    if let Some(own) = function.getattr_opt(intern!(py, "__dict__"))?
        && let Ok(own) = own.cast::<PyDict>()
    {
        dict.update(own.as_mapping())?;
    }
    dict.set_item(intern!(py, "__wrapped__"), function)?;
    let class = decorated_class::get_or_make(py, || type_object::make(py))?;
    // SAFETY: objects of the type have this layout, zeroed. The collector sees the object from its
    // allocation on, and takes null in every field. The other slots need `info`; no code that could
    // reach the object runs until all fields are set.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let layout = object.as_ptr().cast::<Layout>();
        (*layout).kind = kind;
        (*layout).wrapper = wrapper.map_or(ptr::null_mut(), Bound::into_ptr);
        (*layout).dict = dict.into_ptr();
        (*layout).info = Box::into_raw(Box::new(info));
        (*layout).vectorcall = Some(vectorcall);
        Ok(object)
    }
}
