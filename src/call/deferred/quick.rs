//! The two turning points that every call of a coroutine function passes.
//!
//! Methods made by PyO3 cost 20 ns more each: they tell PyO3 that the thread holds the
//! interpreter lock, and take their arguments apart.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use pyo3::ffi;
use pyo3::prelude::*;

use super::DeferredCall;
use super::steps::{conclude, open};
use crate::call::arguments::Lent;
use crate::call::function::ProfiledFunction;
use crate::interp::entry::{StaticMethodDef, enter_unregistered, registered};

/// `begin_coroutine()`: begins the call and returns what the function returns.
static START: StaticMethodDef = StaticMethodDef::no_args(c"begin_coroutine", start);

/// `end(result)`: ends a call that returned `result`. True if asynchronous handlers have
/// deliveries to make: the node is then still current, until `dispatch` was awaited and
/// `end_dispatched` called.
static FINISH: StaticMethodDef = StaticMethodDef::one_arg(c"end", finish);

/// Adds both to the class.
pub(crate) fn complete(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<DeferredCall>();
    for (name, definition) in [("begin_coroutine", &START), ("end", &FINISH)] {
        // SAFETY: the definition is static and is only read; the result is owned or null.
        let method = unsafe {
            let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition.as_ptr());
            Bound::from_owned_ptr_or_err(py, method)?
        };
        class.setattr(name, method)?;
    }
    Ok(())
}

/// What `start` calls once the call has begun.
#[derive(Default)]
struct Target {
    /// StoredArgs alive by the call; `None` if that has not begun.
    function: Option<NonNull<ffi::PyObject>>,
    arguments: Lent,
}

/// The function makes a coroutine, and where it is no plain function may run code of users
/// first: as in `native_call`, nothing with a destructor is on the stack meanwhile.
unsafe extern "C" fn start(
    call: *mut ffi::PyObject,
    _nothing: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let mut target = Target::default();
    begin(call, &mut target);
    match target.function {
        Some(function) => target.arguments.forward(function.as_ptr()),
        None => ptr::null_mut(),
    }
}

/// Fills `target` in, or leaves it with an exception raised.
#[inline(never)]
extern "C" fn begin(call: *mut ffi::PyObject, target: &mut Target) {
    enter_unregistered(|py| {
        // SAFETY: the descriptor has checked what it is called on, which lives for the call.
        let call = unsafe { Bound::ref_from_ptr(py, &call).cast_unchecked::<DeferredCall>() };
        match open(call) {
            Ok(callable) => {
                call.get().copy_arguments(py, &mut target.arguments);
                let function = &ProfiledFunction::info_of(&callable).function;
                target.function = NonNull::new(function.as_ptr());
            }
            Err(error) => registered(py, || error.restore(py)),
        }
        ptr::null_mut()
    });
}

unsafe extern "C" fn finish(
    call: *mut ffi::PyObject,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter_unregistered(|py| {
        // SAFETY: as above.
        let (call, result) = unsafe {
            let call = Bound::ref_from_ptr(py, &call).cast_unchecked::<DeferredCall>();
            (call, Bound::ref_from_ptr(py, &result))
        };
        match conclude(call, Some(result), false) {
            // SAFETY: immortal or counted, these two are always there.
            Ok(left) => unsafe {
                ffi::Py_NewRef(if left { ffi::Py_True() } else { ffi::Py_False() })
            },
            Err(error) => registered(py, || {
                error.restore(py);
                ptr::null_mut()
            }),
        }
    })
}
