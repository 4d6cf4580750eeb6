//! Nodes of ended calls, to be used again.

#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

use super::super::gil_cell::GilCell;
use super::Node;

/// Making and freeing one costs 50 ns more.
static POOL: GilCell<Vec<Py<Node>>> = GilCell::new(Vec::new());

const POOLED_NODES: usize = 64;

impl Node {
    /// Keeps the node of an ended call for the next one, unless somebody knows it beyond
    /// the `references` of those who ran the call (this one included) and let go now.
    pub(crate) fn recycle(node: Bound<'_, Self>, references: isize) {
        let py = node.py();
        let object = node.as_ptr();
        // SAFETY: a valid object, with the interpreter lock held.
        let unknown = unsafe { ffi::Py_REFCNT(object) <= references && !is_pointed_at(&node) };
        if !unknown || node.get().attributes.with(py, |own| own.is_some()) {
            return;
        }
        let taken = node.get().state.with(py, |state| {
            let looked_at = state.context.is_some()
                || state.logger.is_some()
                || state.place.is_some()
                || state.arguments.is_kept()
                || state.running.is_some();
            (!looked_at).then(|| (state.method.take(), state.above.take()))
        });
        let Some((method, above)) = taken else { return };
        drop(method.map(|method| method.into_bound(py)));
        drop(above.map(|above| above.into_bound(py)));
        let surplus = POOL.with(py, |pool| {
            if pool.len() < POOLED_NODES {
                pool.push(node.unbind());
                return None;
            }
            Some(node)
        });
        drop(surplus);
    }
}

/// True if weak references to `node` exist.
///
/// # Safety
/// The interpreter lock is held.
unsafe fn is_pointed_at(node: &Bound<'_, Node>) -> bool {
    let object = node.as_ptr();
    // SAFETY: a valid object; its type says where in it the list of weak references is.
    unsafe {
        let weak = (*ffi::Py_TYPE(object)).tp_weaklistoffset;
        weak <= 0 || !(*object.byte_offset(weak).cast::<*mut ffi::PyObject>()).is_null()
    }
}

/// A node that nobody knows any more, if the pool has one.
pub(super) fn take(py: Python<'_>) -> Option<Bound<'_, Node>> {
    let node = POOL.with(py, Vec::pop)?.into_bound(py);
    // A coroutine that ended with an exception lives on in its traceback, and so does what
    // it knows.
    // SAFETY: a valid object, with the interpreter lock held.
    let unknown = unsafe { ffi::Py_REFCNT(node.as_ptr()) == 1 && !is_pointed_at(&node) };
    // Whoever lists all objects of the collector may have looked at it in the pool.
    let unused = unknown
        && node.get().attributes.with(py, |own| own.is_none())
        && node.get().state.with(py, |state| {
            state.context.is_none()
                && state.logger.is_none()
                && state.place.is_none()
                && !state.arguments.is_kept()
        });
    unused.then_some(node)
}
