//! The pool of nodes: those of ended calls are used again by later ones.

#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

use super::{Node, State};
use crate::interp::pool::{Pool, has_at_most_references};

static POOL: Pool<Node> = Pool::new();

impl Node {
    /// Puts the node of an ended call into the pool, unless it is referenced elsewhere or users
    /// have accessed it.
    pub(crate) fn recycle(node: Bound<'_, Self>) {
        let py = node.py();
        if !has_at_most_references(&node, 1) || has_weak_references(&node) {
            return;
        }
        let taken = node.get().state.with(py, |state| {
            state.is_pristine().then(|| (state.method.take(), state.caller.take()))
        });
        let Some((method, caller)) = taken else { return };
        drop(method.map(|method| method.into_bound(py)));
        drop(caller.map(|caller| caller.into_bound(py)));
        POOL.put(node);
    }
}

/// Takes a node to which there is no other reference, if the pool has one.
pub(super) fn take(py: Python<'_>) -> Option<Bound<'_, Node>> {
    // `gc.get_objects()` shows users the nodes in the pool as well.
    POOL.take(py).filter(|node| {
        !has_weak_references(node) && node.get().state.with(py, |state| state.is_pristine())
    })
}

fn has_weak_references(node: &Bound<'_, Node>) -> bool {
    let object = node.as_ptr();
    // SAFETY: the object is valid; its type says where in it the list of weak references is.
    unsafe {
        let weak = (*ffi::Py_TYPE(object)).tp_weaklistoffset;
        weak <= 0 || !(*object.byte_offset(weak).cast::<*mut ffi::PyObject>()).is_null()
    }
}

impl State {
    /// True if the node has nothing that only an access by users gives it, and no place in a tree.
    fn is_pristine(&self) -> bool {
        self.context.is_none()
            && self.logger.is_none()
            && self.attributes.is_none()
            && self.place.is_none()
    }
}
