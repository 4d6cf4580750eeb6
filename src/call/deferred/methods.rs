//! The methods of [`DeferredCall`], which its Python wrapper (`phanos._calls.wrappers`) calls.
//!
//! All of them are functions of the C API in one table, and none is made by PyO3: such a method
//! costs 20 to 28 ns more, since it tells PyO3 that the thread holds the interpreter lock. Every
//! coroutine would pay that twice, and a generator twice per item.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyNone, PyString};

use super::DeferredCall;
use super::steps::{self, This};
use crate::call::arguments::RawArgs;
use crate::call::function::ProfiledFunction;
use crate::interp::entry::{StaticMethodDef, enter, registered};
use crate::interp::panics::{contained, enter_contained};

/// `_phanos.pyi` says what they do.
static METHODS: [StaticMethodDef; 10] = [
    StaticMethodDef::no_args(c"begin_coroutine", begin_coroutine),
    StaticMethodDef::no_args(c"begin", begin),
    StaticMethodDef::no_args(c"suspend", suspend),
    StaticMethodDef::no_args(c"resume", resume),
    StaticMethodDef::one_arg(c"end", end),
    StaticMethodDef::no_args(c"end_failed", end_failed),
    StaticMethodDef::one_arg(c"end_generator", end_generator),
    StaticMethodDef::no_args(c"dispatch", dispatch),
    StaticMethodDef::no_args(c"end_dispatched", end_dispatched),
    StaticMethodDef::no_args(c"ensure_ended", ensure_ended),
];

/// Adds the methods to the class, which PyO3 makes without them, when the module is imported.
pub(crate) fn add_methods(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<DeferredCall>();
    for definition in &METHODS {
        // SAFETY: the definition is static and is only read; the result is owned or null.
        let method = unsafe {
            let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition.as_ptr());
            Bound::from_owned_ptr_or_err(py, method)?
        };
        class.setattr(method.getattr("__name__")?.cast_into::<PyString>()?, method)?;
    }
    Ok(())
}

type Object = *mut ffi::PyObject;

unsafe extern "C" fn begin(call: Object, _: Object) -> Object {
    step(call, none, |call| steps::begin(call).map(|_| none(call.py())))
}

unsafe extern "C" fn suspend(call: Object, _: Object) -> Object {
    step(call, none, |call| {
        steps::suspend(call);
        Ok(none(call.py()))
    })
}

unsafe extern "C" fn resume(call: Object, _: Object) -> Object {
    step(call, none, |call| steps::resume(call).map(|()| none(call.py())))
}

unsafe extern "C" fn end(call: Object, result: Object) -> Object {
    step(call, no, |call| {
        // SAFETY: the interpreter passes a valid object, which it keeps alive for the call.
        let result = unsafe { Bound::ref_from_ptr(call.py(), &result) };
        steps::end(call, Some(result)).map(|awaits| boolean(call.py(), awaits))
    })
}

unsafe extern "C" fn end_failed(call: Object, _: Object) -> Object {
    step(call, no, |call| steps::end_failed(call).map(|awaits| boolean(call.py(), awaits)))
}

unsafe extern "C" fn end_generator(call: Object, result: Object) -> Object {
    step(call, none, |call| {
        // SAFETY: as in `end`.
        let result = unsafe { Bound::ref_from_ptr(call.py(), &result) };
        steps::end_without_await(call, Some(result)).map(|()| none(call.py()))
    })
}

unsafe extern "C" fn dispatch(call: Object, _: Object) -> Object {
    step(call, none, |call| {
        let awaitable = steps::dispatch(call)?;
        Ok(awaitable.map_or_else(|| none(call.py()), Bound::into_ptr))
    })
}

unsafe extern "C" fn end_dispatched(call: Object, _: Object) -> Object {
    step(call, none, |call| {
        steps::end_dispatched(call);
        Ok(none(call.py()))
    })
}

unsafe extern "C" fn ensure_ended(call: Object, _: Object) -> Object {
    step(call, none, |call| steps::ensure_ended(call).map(|()| none(call.py())))
}

/// Begins the call, then calls the function for its coroutine, which is returned.
///
/// A function that is no plain one may run code of users before it returns the coroutine: as in
/// `native_call`, nothing with a destructor is on the stack meanwhile.
unsafe extern "C" fn begin_coroutine(call: Object, _: Object) -> Object {
    let mut target = Target { function: ptr::null_mut(), arguments: RawArgs::default() };
    fill_target(call, &mut target);
    if target.function.is_null() {
        return ptr::null_mut();
    }
    let coroutine = target.arguments.forward(target.function);
    // SAFETY: an owned reference, dropped once.
    unsafe { ffi::Py_DECREF(target.function) };
    coroutine
}

/// What `begin_coroutine` calls once the call has begun.
struct Target {
    /// An owned reference: code of users can end the call, which then keeps nothing alive, through
    /// the frame of its wrapper. Null if the call has not begun.
    function: Object,
    arguments: RawArgs,
}

/// Begins the call and fills `target`, or leaves that empty with an exception raised.
#[inline(never)]
extern "C" fn fill_target(call: Object, target: &mut Target) {
    let is_filled = step(call, none, |call| {
        let callable = steps::begin(call)?;
        fill(target, call, &callable);
        Ok(ptr::null_mut())
    });
    // Not null after a panic: the function is called without being recorded.
    if !is_filled.is_null() {
        step(call, none, |call| {
            if let Some(callable) = call.get().callable.bound(call.py()) {
                fill(target, call, &callable);
            }
            Ok(ptr::null_mut())
        });
    }
}

fn fill(target: &mut Target, call: This<'_, '_>, callable: &Bound<'_, PyAny>) {
    call.get().arguments.copy_to(call.py(), &mut target.arguments);
    target.function =
        ProfiledFunction::info_of(callable).function.bind(call.py()).clone().into_ptr();
}

/// Takes a step of the call that the interpreter passed. Returns what `body` does, or null with
/// the exception raised. If it panics, the call is given up, as if it had never been recorded, and
/// `otherwise` is returned.
#[inline]
fn step(
    call: Object,
    otherwise: fn(Python<'_>) -> Object,
    body: impl FnOnce(This<'_, '_>) -> PyResult<Object>,
) -> Object {
    let taken = enter_contained(WHAT, |py| {
        // SAFETY: the descriptor has checked the type of the object, which lives for the call.
        let call = unsafe { Bound::ref_from_ptr(py, &call).cast_unchecked::<DeferredCall>() };
        body(call).unwrap_or_else(|error| {
            registered(py, || {
                error.restore(py);
                ptr::null_mut()
            })
        })
    });
    taken.unwrap_or_else(|| give_up(call, otherwise))
}

#[cold]
#[inline(never)]
fn give_up(call: Object, otherwise: fn(Python<'_>) -> Object) -> Object {
    enter(|py| {
        // SAFETY: as in `step`.
        let call = unsafe { Bound::ref_from_ptr(py, &call).cast_unchecked::<DeferredCall>() };
        contained(py, WHAT, || steps::give_up(call));
        otherwise(py)
    })
}

const WHAT: &str = "a step of a coroutine or generator";

fn none(py: Python<'_>) -> Object {
    PyNone::get(py).to_owned().into_ptr()
}

fn no(py: Python<'_>) -> Object {
    boolean(py, false)
}

fn boolean(py: Python<'_>, value: bool) -> Object {
    PyBool::new(py, value).to_owned().into_ptr()
}
