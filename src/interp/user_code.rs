//! Calls of code that users wrote: hooks, handlers, methods they override, finalizers.
//!
//! Up to CPython 3.13 the end of the interpreter ends daemon threads by `pthread_exit`, which
//! unwinds their stacks. The Rust frames that called a user's function would abort the process
//! then: they have destructors to run, and some of them cannot unwind. So the functions here
//! park a thread for ever when it is unwound, before the unwinding reaches those frames; it ends
//! with the process. CPython 3.14 parks such threads by itself, and PyO3 does so in its own
//! functions that wait for the interpreter lock.

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

// Functions of CPython by the ABI `C-unwind`, since they unwind at times. PyO3 declares them as
// never unwinding, and a function has one declaration in a whole crate. Hence these pointers,
// and volatile reads that keep the compiler from seeing which function they point to.

// SAFETY: the same function by an ABI that differs only in what the compiler may assume.
static CALL: UnwindingCall =
    unsafe { transmute::<Call, UnwindingCall>(ffi::PyObject_Call as Call) };
// The variant that takes keyword arguments as a dict, and is always given none: before CPython
// 3.11 the library exports no `PyObject_Vectorcall`.
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

/// The function, so that the compiler cannot tell which one it is.
fn opaque<F: Copy>(function: &F) -> F {
    // SAFETY: the reference is valid.
    unsafe { ptr::read_volatile(function) }
}

/// The largest number of arguments that callers of this module pass; they are on the stack.
const MAX_ARGUMENTS: usize = 4;

/// Parks the thread for ever when it is dropped by unwinding.
struct ParkOnUnwind;

impl Drop for ParkOnUnwind {
    fn drop(&mut self) {
        loop {
            thread::park();
        }
    }
}

/// Runs `body`, which calls into CPython, and parks the thread if that unwinds.
///
/// It is not promised that this kind of unwinding runs destructors, but it does so: without this
/// one it would run those of the callers.
fn park_on_unwind<R>(body: impl FnOnce() -> R) -> R {
    let guard = ParkOnUnwind;
    let result = body();
    std::mem::forget(guard);
    result
}

/// Calls `callable(*args)`.
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = [ptr::null_mut(); MAX_ARGUMENTS];
    for (place, argument) in all.iter_mut().zip(args) {
        *place = argument.as_ptr();
    }
    let count = args.len().min(MAX_ARGUMENTS);
    // SAFETY: all objects are valid and the interpreter lock is held; the result is owned or null.
    unsafe {
        let result = park_on_unwind(|| {
            opaque(&VECTORCALL)(callable.as_ptr(), all.as_ptr(), count, ptr::null_mut())
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
    let mut all = [ptr::null_mut(); MAX_ARGUMENTS + 1];
    for (place, argument) in all.iter_mut().zip(std::iter::once(&object).chain(args)) {
        *place = argument.as_ptr();
    }
    let count = 1 + args.len().min(MAX_ARGUMENTS);
    // SAFETY: as above.
    unsafe {
        let result = park_on_unwind(|| {
            let no_names = ptr::null_mut();
            opaque(&VECTORCALL_METHOD)(name.as_ptr(), all.as_ptr(), count, no_names)
        });
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// Drops a reference; if it is the last one, the finalizer that runs may be a user's.
pub(crate) fn release<T>(object: Bound<'_, T>) {
    let object = object.into_ptr();
    // SAFETY: the reference is owned and the interpreter lock is held.
    unsafe { park_on_unwind(|| opaque(&RELEASE)(object)) }
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
        let result = park_on_unwind(|| opaque(&CALL)(callable.as_ptr(), args.as_ptr(), kwargs));
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}
