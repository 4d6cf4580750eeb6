//! Calls of code that users wrote: hooks, handlers, methods they override, finalizers.
//!
//! Up to CPython 3.13 the end of the interpreter ends daemon threads by `pthread_exit`, which
//! unwinds their stacks. Rust above a user's function would abort the process then: it has
//! destructors to run and functions that cannot unwind. So the thread is stopped here, before
//! the unwinding gets there, and ends with the process. CPython 3.14 does the same by itself,
//! and PyO3 in functions of its own that wait for the interpreter lock.

#![allow(unsafe_code)]

use std::mem::transmute;
use std::ptr;
use std::thread;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

type Object = *mut ffi::PyObject;
type Call = unsafe extern "C" fn(Object, Object, Object) -> Object;
type UnwindingCall = unsafe extern "C-unwind" fn(Object, Object, Object) -> Object;
type Vectorcall = unsafe extern "C" fn(Object, *const Object, usize, Object) -> Object;
type UnwindingVectorcall =
    unsafe extern "C-unwind" fn(Object, *const Object, usize, Object) -> Object;

// The interpreter's functions, by an ABI that says what they do: unwind at times. PyO3 declares
// them as never unwinding, and one declaration of a function is valid for a whole crate. Hence
// pointers, and volatile reads that hide what they point to.

// SAFETY: the same function by an ABI that differs only in what it lets the compiler assume.
static CALL: UnwindingCall =
    unsafe { transmute::<Call, UnwindingCall>(ffi::PyObject_Call as Call) };
// The one with a dict, of which none is ever passed: `PyObject_Vectorcall` is no function of the
// interpreter before 3.11.
// SAFETY: as above.
static VECTORCALL: UnwindingVectorcall = unsafe {
    transmute::<Vectorcall, UnwindingVectorcall>(ffi::PyObject_VectorcallDict as Vectorcall)
};
// SAFETY: as above.
static VECTORCALL_METHOD: UnwindingVectorcall = unsafe {
    transmute::<Vectorcall, UnwindingVectorcall>(ffi::PyObject_VectorcallMethod as Vectorcall)
};
// SAFETY: as above.
static RELEASE: unsafe extern "C-unwind" fn(Object) = unsafe {
    transmute::<unsafe extern "C" fn(Object), unsafe extern "C-unwind" fn(Object)>(
        ffi::Py_DecRef as unsafe extern "C" fn(Object),
    )
};

fn hidden<F: Copy>(function: &F) -> F {
    // SAFETY: a valid reference.
    unsafe { ptr::read_volatile(function) }
}

/// Arguments that fit on the stack; nobody passes more.
const ARGUMENTS: usize = 4;

/// Keeps the thread for ever when it is unwound.
struct Stopped;

impl Drop for Stopped {
    fn drop(&mut self) {
        loop {
            thread::park();
        }
    }
}

/// Runs `body`, which calls into the interpreter, and stops the thread if it unwinds.
///
/// That such an unwinding runs destructors is what it does, not what it promises; without
/// this one it would meet those further up all the same.
fn stopping<R>(body: impl FnOnce() -> R) -> R {
    let guard = Stopped;
    let result = body();
    std::mem::forget(guard);
    result
}

/// Calls `callable(*args)`.
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = [ptr::null_mut(); ARGUMENTS];
    for (place, argument) in all.iter_mut().zip(args) {
        *place = argument.as_ptr();
    }
    let count = args.len().min(ARGUMENTS);
    // SAFETY: valid objects, with the interpreter lock held; the result is owned or null.
    unsafe {
        let result = stopping(|| {
            hidden(&VECTORCALL)(callable.as_ptr(), all.as_ptr(), count, ptr::null_mut())
        });
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}

/// Calls `object.name(*args)`.
pub(crate) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = [ptr::null_mut(); ARGUMENTS + 1];
    for (place, argument) in all.iter_mut().zip(std::iter::once(&object).chain(args)) {
        *place = argument.as_ptr();
    }
    let count = 1 + args.len().min(ARGUMENTS);
    // SAFETY: as above.
    unsafe {
        let result = stopping(|| {
            let no_names = ptr::null_mut();
            hidden(&VECTORCALL_METHOD)(name.as_ptr(), all.as_ptr(), count, no_names)
        });
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// Lets go of an object, whose end may run what users wrote.
pub(crate) fn release<T>(object: Bound<'_, T>) {
    let object = object.into_ptr();
    // SAFETY: an owned reference, with the interpreter lock held.
    unsafe { stopping(|| hidden(&RELEASE)(object)) }
}

/// Calls `callable(*args, **kwargs)`.
pub(crate) fn call_packed<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let kwargs = kwargs.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: as above.
    unsafe {
        let result = stopping(|| hidden(&CALL)(callable.as_ptr(), args.as_ptr(), kwargs));
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}
