//! Decorating: the native callable is made around a function.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{FunctionKind, Layout, attributes, type_object};
use crate::call::native_call::vectorcall;
use crate::profiler::core::ProfilerCore;
use crate::profiler::function_info::FunctionInfo;
use crate::tree::decorated_class;

/// Decorates `function`.
///
/// `make_wrapper` is given for coroutine functions (`is_coroutine`) and generator functions: it is
/// called with the function and returns the wrapper that runs the body. `template` is a plain
/// function, whose attributes stand in for those that `function` lacks.
#[pyfunction]
#[pyo3(signature = (core, function, name, make_wrapper, is_coroutine, template))]
pub(crate) fn decorate<'py>(
    core: &Bound<'py, ProfilerCore>,
    function: &Bound<'py, PyAny>,
    name: &str,
    make_wrapper: Option<&Bound<'py, PyAny>>,
    is_coroutine: bool,
    template: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = core.py();
    if !function.is_callable() {
        return Err(PyTypeError::new_err(format!("expected a callable, got {}", function.repr()?)));
    }
    let info = FunctionInfo::new(function.clone().unbind(), core.clone().unbind(), name);
    let wrapper = match make_wrapper {
        Some(make) => Some(make.call1((function,))?),
        None => None,
    };
    let dict = PyDict::new(py);
    if let Some(own) = function.getattr_opt(intern!(py, "__dict__"))?
        && let Ok(own) = own.cast::<PyDict>()
    {
        dict.update(own.as_mapping())?;
    }
    dict.set_item(intern!(py, "__wrapped__"), function)?;
    attributes::set_template(template);
    let class = decorated_class::get_or_make(py, || type_object::make(py))?;
    // SAFETY: objects of the type have this layout; the allocator zeroed it, and null is valid in
    // each field until it is set.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let layout = object.as_ptr().cast::<Layout>();
        (*layout).kind = match (wrapper.is_some(), is_coroutine) {
            (false, _) => FunctionKind::Plain,
            (true, true) => FunctionKind::Coroutine,
            (true, false) => FunctionKind::Generator,
        };
        (*layout).wrapper = wrapper.map_or(ptr::null_mut(), Bound::into_ptr);
        (*layout).dict = dict.into_ptr();
        (*layout).info = Box::into_raw(Box::new(info));
        (*layout).vectorcall = Some(vectorcall);
        Ok(object)
    }
}
