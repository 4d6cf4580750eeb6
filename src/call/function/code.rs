//! The code of a decorated function, which can be replaced: module reloaders do that.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{FunctionKind, Layout, ProfiledFunction, attributes};

use crate::interp::once::{GilOnce, intern};

const CO_ITERABLE_COROUTINE: u32 = 0x100;

/// Called with a function: returns what wraps it, or `None` if its body runs within the call, and
/// whether it is a coroutine function.
static WRAP: GilOnce<Py<PyAny>> = GilOnce::new();

/// Sets what wraps functions whose body runs after the call, unless that is set.
pub(super) fn set_wrap(wrap: &Bound<'_, PyAny>) {
    WRAP.set(wrap.py(), wrap.clone().unbind());
}

/// What runs the body of `function`, if that runs after the call, and the kind of function.
fn wrapped<'py>(
    function: &Bound<'py, PyAny>,
) -> PyResult<(Option<Bound<'py, PyAny>>, FunctionKind)> {
    let Some(wrap) = WRAP.get(function.py()) else { return Ok((None, FunctionKind::Plain)) };
    let made = wrap.bind(function.py()).call1((function,))?;
    let (wrapper, is_coroutine): (Option<Bound<'py, PyAny>>, bool) = made.extract()?;
    let kind = FunctionKind::of(wrapper.is_some(), is_coroutine);
    Ok((wrapper, kind))
}

/// Has a decorated function follow the code of the function that it wraps: the kind of function
/// may be another now.
pub(super) fn follow(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = object.py();
    let (wrapper, kind) = wrapped(ProfiledFunction::info_of(object).function.bind(py))?;
    // SAFETY: an object of this layout. Nothing borrows the old wrapper across a call into Python
    // (see `native_call`), and it is dropped once both fields belong together.
    unsafe {
        let layout = object.as_ptr().cast::<Layout>();
        let old = std::mem::replace(
            &mut (*layout).wrapper,
            wrapper.map_or(ptr::null_mut(), Bound::into_ptr),
        );
        (*layout).kind = kind;
        ffi::Py_XDECREF(old);
    }
    Ok(())
}

fn flags(code: &Bound<'_, PyAny>) -> PyResult<u32> {
    code.getattr(intern!(code.py(), "co_flags"))?.extract()
}

/// True if `code` is `original` with the flag that `types.coroutine` sets.
pub(super) fn is_iterable_coroutine_of(
    code: &Bound<'_, PyAny>,
    original: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    if !code.get_type().is(original.get_type()) || flags(code)? & CO_ITERABLE_COROUTINE == 0 {
        return Ok(false);
    }
    with_flag(original)?.eq(code)
}

/// Has the wrapper of a decorated generator function make awaitables.
pub(super) fn make_awaitable(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let Some(wrapper) = attributes::wrapper_of(object) else { return Ok(()) };
    let name = intern!(object.py(), "__code__");
    wrapper.setattr(name, with_flag(&wrapper.getattr(name)?)?)
}

fn with_flag<'py>(code: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = code.py();
    let changed = PyDict::new(py);
    changed.set_item(intern!(py, "co_flags"), flags(code)? | CO_ITERABLE_COROUTINE)?;
    code.call_method(intern!(py, "replace"), (), Some(&changed))
}
