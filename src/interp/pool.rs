//! Objects of ended calls, to be used again.

#![allow(unsafe_code)]

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::interp::gil_cell::GilCell;

const POOLED: usize = 64;

/// Making an object and freeing it costs 50 ns more.
pub(crate) struct Pool<T>(GilCell<Vec<Py<T>>>);

impl<T: PyClass> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(GilCell::new(Vec::new()))
    }

    /// Keeps `object`, which has nothing of its call any more, if there is room.
    pub(crate) fn put(&self, object: Bound<'_, T>) {
        let py = object.py();
        let surplus = self.0.with(py, |pool| {
            if pool.len() < POOLED {
                pool.push(object.unbind());
                return None;
            }
            Some(object)
        });
        drop(surplus);
    }

    /// An object that nobody knows any more, if there is one.
    pub(crate) fn take<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        let object = self.0.with(py, Vec::pop)?.into_bound(py);
        known_to(&object, 1).then_some(object)
    }
}

/// True if nobody knows `object` but those who have `references` to it.
pub(crate) fn known_to<T>(object: &Bound<'_, T>, references: isize) -> bool {
    // SAFETY: a valid object, with the interpreter lock held.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) <= references }
}
