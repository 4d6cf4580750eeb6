//! What the garbage collector sees of a decorated function, and how one is freed.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;

use super::Layout;
use crate::interp::gil_cell::GilCell;
use crate::profiler::function_info::FunctionInfo;

pub(super) unsafe extern "C" fn traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the collector's protocol; fields are null or valid.
    unsafe {
        let layout = object.cast::<Layout>();
        let own =
            [ffi::Py_TYPE(object).cast(), (*layout).dict, (*layout).special, (*layout).wrapper];
        // The collector runs with the interpreter lock held.
        let py = Python::assume_attached();
        let of_info = (*layout).info.as_ref().map(|info| info.referents(py)).unwrap_or_default();
        for referent in own.into_iter().chain(of_info) {
            if !referent.is_null() {
                let result = visit(referent, argument);
                if result != 0 {
                    return result;
                }
            }
        }
        0
    }
}

pub(super) unsafe extern "C" fn clear(object: *mut ffi::PyObject) -> c_int {
    // SAFETY: the collector's protocol. The info stays: finalizers can still call the object. It may
    // not go while it is looked at, since the collector holds a reference to the object.
    unsafe {
        let layout = object.cast::<Layout>();
        ffi::Py_CLEAR(&raw mut (*layout).dict);
        ffi::Py_CLEAR(&raw mut (*layout).special);
        ffi::Py_CLEAR(&raw mut (*layout).wrapper);
        if let Some(info) = (*layout).info.as_ref() {
            Python::attach_unchecked(|py| info.forget_module(py));
        }
        0
    }
}

pub(super) unsafe extern "C" fn deallocate(object: *mut ffi::PyObject) {
    // SAFETY: called once, with the interpreter lock held and no reference left.
    unsafe {
        let class = ffi::Py_TYPE(object);
        ffi::PyObject_GC_UnTrack(object.cast());
        let layout = object.cast::<Layout>();
        if !(*layout).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let references = References {
            dict: (*layout).dict,
            special: (*layout).special,
            wrapper: (*layout).wrapper,
            info: (*layout).info,
        };
        ffi::PyObject_GC_Del(object.cast());
        ffi::Py_DECREF(class.cast());
        // PyO3 frees what it drops only where it knows that the thread holds the lock.
        Python::attach_unchecked(|py| references.free(py));
    }
}

/// What a decorated function referred to that is gone: owned references, or null.
struct References {
    dict: *mut ffi::PyObject,
    special: *mut ffi::PyObject,
    wrapper: *mut ffi::PyObject,
    info: *const FunctionInfo,
}

/// A function that is decorated many times is a chain of objects, each of which frees the next.
/// They are freed inside one another up to this depth: the stack is finite.
const MAX_DEPTH: usize = 32;

/// What is deeper; the outermost object of a chain frees it.
static FREED_LATER: GilCell<Vec<References>> = GilCell::new(Vec::new());

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl References {
    fn free(self, py: Python<'_>) {
        let depth = DEPTH.get();
        if depth == MAX_DEPTH {
            FREED_LATER.with(py, |later| later.push(self));
            return;
        }
        DEPTH.set(depth + 1);
        self.drop_now();
        while depth == 0
            && let Some(references) = FREED_LATER.with(py, Vec::pop)
        {
            references.drop_now();
        }
        // Counted down and not set back to `depth`: finalizers may switch greenlets, which end in
        // any order.
        DEPTH.set(DEPTH.get() - 1);
    }

    fn drop_now(self) {
        // SAFETY: each reference is owned and dropped once, with the interpreter lock held;
        // the info is from `Box::into_raw`.
        unsafe {
            ffi::Py_XDECREF(self.dict);
            ffi::Py_XDECREF(self.special);
            ffi::Py_XDECREF(self.wrapper);
            if !self.info.is_null() {
                drop(Box::from_raw(self.info.cast_mut()));
            }
        }
    }
}
