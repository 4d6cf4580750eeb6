//! Nodes of ended calls, to be used again.

#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

use super::{Node, State};
use crate::interp::pool::{Pool, has_at_most_references};

static POOL: Pool<Node> = Pool::new();

impl Node {
    /// Keeps the node of an ended call for the next one, unless somebody else knows it.
    pub(crate) fn recycle(node: Bound<'_, Self>) {
        let py = node.py();
        if !has_at_most_references(&node, 1) || is_pointed_at(&node) || is_looked_at(&node) {
            return;
        }
        let taken = node.get().state.with(py, |state| (state.method.take(), state.caller.take()));
        let (method, caller) = taken;
        drop(method.map(|method| method.into_bound(py)));
        drop(caller.map(|caller| caller.into_bound(py)));
        POOL.put(node);
    }
}

/// A node that nobody knows any more, if the pool has one.
pub(super) fn take(py: Python<'_>) -> Option<Bound<'_, Node>> {
    // Whoever lists all objects of the collector may have looked at it in the pool.
    POOL.take(py).filter(|node| !is_pointed_at(node) && !is_looked_at(node))
}

/// True if weak references to `node` exist.
fn is_pointed_at(node: &Bound<'_, Node>) -> bool {
    let object = node.as_ptr();
    // SAFETY: a valid object; its type says where in it the list of weak references is.
    unsafe {
        let weak = (*ffi::Py_TYPE(object)).tp_weaklistoffset;
        weak <= 0 || !(*object.byte_offset(weak).cast::<*mut ffi::PyObject>()).is_null()
    }
}

/// True if it has what only nodes have that somebody looked at, or a place in a tree.
fn is_looked_at(node: &Bound<'_, Node>) -> bool {
    let py = node.py();
    node.get().attributes.with(py, |own| own.is_some())
        || node.get().state.with(py, |State { context, logger, place, .. }| {
            context.is_some() || logger.is_some() || place.is_some()
        })
}
