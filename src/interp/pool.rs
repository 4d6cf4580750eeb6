//! A pool of Python objects: those of ended calls are used again by later ones.

#![allow(unsafe_code)]

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::interp::gil_cell::GilCell;

/// The largest number of objects in one pool.
const CAPACITY: usize = 64;

/// Up to [`CAPACITY`] objects of one class. Making and freeing an object for each call would cost
/// 50 ns more.
pub(crate) struct Pool<T>(GilCell<Vec<Py<T>>>);

impl<T: PyClass> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(GilCell::new(Vec::new()))
    }

    /// Keeps `object`, from which everything about its call has been removed, if there is room.
    pub(crate) fn put(&self, object: Bound<'_, T>) {
        let py = object.py();
        let surplus = self.0.with(py, |pool| {
            if pool.len() < CAPACITY {
                pool.push(object.unbind());
                return None;
            }
            Some(object)
        });
        drop(surplus);
    }

    /// Takes an object to which there is no other reference, if the pool has one.
    pub(crate) fn take<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        let object = self.0.with(py, Vec::pop)?.into_bound(py);
        has_at_most_references(&object, 1).then_some(object)
    }
}

/// True if `object` has at most `references` references, that of the caller included.
pub(crate) fn has_at_most_references<T>(object: &Bound<'_, T>, references: isize) -> bool {
    // SAFETY: the object is valid and the interpreter lock is held.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) <= references }
}
