//! The current node: the value of a `ContextVar`, set when a call begins and reset when it ends.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::interp::collector::is_collecting;
use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::{GilCell, GilValue};
use crate::tree::by_turns;
use crate::tree::node::Node;

/// The context variable of one profiler.
pub(crate) struct CurrentNode {
    variable: Py<PyAny>,
    /// Nodes of calls that finalizers make in a collection, innermost last.
    in_collection: GilCell<Vec<Py<Node>>>,
    /// Whether a context may have a node that was left in a collection.
    left_in_collection: GilValue<bool>,
    /// Contexts as they were then, until no collection runs any more.
    kept_contexts: GilCell<Vec<Py<PyAny>>>,
    /// Whether there was ever a node that was not current when it was left: see `by_turns`.
    left_by_turns: GilValue<bool>,
}

impl_traverse!(CurrentNode { variable, in_collection, kept_contexts });

/// The token of `ContextVar.set` of a node that has been entered, with which the variable is
/// reset; empty while the node is not entered.
///
/// A call has it in place and passes a reference: the processor waits for a value that is written
/// in parts and copied as a whole at once (10 to 25 ns of each call).
#[derive(Default)]
pub(crate) struct ContextToken {
    token: GilValue<Option<Py<PyAny>>>,
}

impl_traverse!(ContextToken { token });

impl ContextToken {
    pub(crate) fn is_empty(&self, py: Python<'_>) -> bool {
        !self.token.is_some(py)
    }

    /// Drops the token, so that the node is never left. Can run code of users.
    pub(crate) fn release(&self, py: Python<'_>) {
        if let Some(token) = self.token.take(py) {
            drop(token.into_bound(py));
        }
    }
}

/// Disables the garbage collector while it lives.
///
/// Up to CPython 3.11 any allocation can run the collector. If that happens inside
/// `ContextVar.set`, a finalizer that sets a context variable itself, as one does that calls a
/// profiled function, frees the mapping that is being changed, and the interpreter crashes. From
/// 3.12 on the collector runs between instructions only.
struct CollectorPaused {
    #[cfg(not(Py_3_12))]
    was_enabled: bool,
}

impl CollectorPaused {
    fn new(_py: Python<'_>) -> Self {
        #[cfg(not(Py_3_12))]
        // SAFETY: the interpreter lock is held.
        let was_enabled = unsafe { ffi::PyGC_Disable() } != 0;
        Self {
            #[cfg(not(Py_3_12))]
            was_enabled,
        }
    }
}

impl Drop for CollectorPaused {
    fn drop(&mut self) {
        #[cfg(not(Py_3_12))]
        if self.was_enabled {
            // SAFETY: the interpreter lock is held, since a value is made and dropped within one
            // function that has a token.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

impl CurrentNode {
    /// A new variable called `name` with the default `root`.
    pub(crate) fn new(name: &CStr, root: &Bound<'_, Node>) -> PyResult<Self> {
        // SAFETY: the name is copied, `root` is valid, the result is owned or null.
        let variable = unsafe {
            let variable = ffi::PyContextVar_New(name.as_ptr(), root.as_ptr());
            Bound::from_owned_ptr_or_err(root.py(), variable)?
        };
        Ok(Self {
            variable: variable.unbind(),
            in_collection: GilCell::new(Vec::new()),
            left_in_collection: GilValue::new(false),
            left_by_turns: GilValue::new(false),
            kept_contexts: GilCell::new(Vec::new()),
        })
    }

    pub(crate) fn variable(&self) -> &Py<PyAny> {
        &self.variable
    }

    /// The current node of the running context; `None` if a user set the variable to an object
    /// that is no node.
    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, Node>>> {
        if self.left_in_collection.get(py) || is_collecting(py) {
            return self.get_beside_collections(py);
        }
        self.get_from_context(py)
    }

    /// [`Self::get`] where collections have to do with it, up to CPython 3.11.
    #[cold]
    fn get_beside_collections<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, Node>>> {
        let innermost = |nodes: &mut Vec<Py<Node>>| nodes.last().map(|node| node.clone_ref(py));
        if is_collecting(py)
            && let Some(node) = self.in_collection.with(py, innermost)
        {
            return Ok(Some(node.into_bound(py)));
        }
        if !is_collecting(py) {
            for context in self.kept_contexts.replace(py, Vec::new()) {
                drop(context.into_bound(py));
            }
        }
        let mut current = self.get_from_context(py)?;
        while let Some(node) = current.take_if(|node| node.get().was_left_in_collection(py)) {
            let Some(caller) = node.get().caller(py) else { break };
            let caller = caller.into_bound(py);
            if !is_collecting(py) {
                drop(self.set(&caller)?);
            }
            current = Some(caller);
        }
        Ok(current)
    }

    #[inline]
    fn get_from_context<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, Node>>> {
        let mut found = ptr::null_mut();
        // SAFETY: `variable` is a ContextVar; `found` gets an owned reference or null.
        let found = unsafe {
            if ffi::PyContextVar_Get(self.variable.as_ptr(), ptr::null_mut(), &raw mut found) < 0 {
                return Err(PyErr::fetch(py));
            }
            Bound::from_owned_ptr_or_opt(py, found)
        };
        Ok(found.and_then(|found| found.cast_into::<Node>().ok()))
    }

    /// Makes `node` current; returns the token of `ContextVar.set`.
    pub(crate) fn set<'py>(&self, node: &Bound<'py, Node>) -> PyResult<Bound<'py, PyAny>> {
        let py = node.py();
        let _paused = CollectorPaused::new(py);
        // SAFETY: both are valid objects; the token is an owned reference or null.
        unsafe {
            let token = ffi::PyContextVar_Set(self.variable.as_ptr(), node.as_ptr());
            Bound::from_owned_ptr_or_err(py, token)
        }
    }

    /// Makes `node` current until [`Self::leave`]; `token`, which is empty, is filled.
    ///
    /// In a finalizer that the collector runs up to CPython 3.11 the context stays as it is, and the
    /// node is kept beside it: a `ContextVar.set` of a user may be under way below the finalizer,
    /// which changing the context would crash.
    #[inline]
    pub(crate) fn enter(&self, node: &Bound<'_, Node>, token: &ContextToken) -> PyResult<()> {
        let py = node.py();
        debug_assert!(token.is_empty(py), "entered twice");
        if is_collecting(py) {
            self.enter_in_collection(node);
            return Ok(());
        }
        token.token.set(py, Some(self.set(node)?.unbind()));
        Ok(())
    }

    /// Makes the node current that was current before `node` was entered. False if `node` was
    /// entered in another context than the running one, or has been left already.
    #[inline]
    pub(crate) fn leave(&self, node: &Bound<'_, Node>, token: &ContextToken) -> bool {
        let py = node.py();
        if is_collecting(py) {
            return self.leave_in_collection(node, token);
        }
        let Some(token) = token.token.take(py) else { return false };
        let token = token.into_bound(py);
        let is_current = self.get(py).ok().flatten().is_some_and(|current| current.is(node));
        let was_reset = self.reset(&token);
        drop(token);
        if was_reset
            && (!is_current || self.left_by_turns.get(py))
            && let Ok(Some(outside)) = self.get(py)
        {
            drop(self.set_outside(node, is_current, outside));
        }
        was_reset
    }

    /// [`Self::enter`] in a finalizer. The token stays empty, so a call that has been resumed may be
    /// entered again to be ended.
    #[cold]
    fn enter_in_collection(&self, node: &Bound<'_, Node>) {
        self.in_collection.with(node.py(), |nodes| {
            if !nodes.iter().any(|entered| entered.is(node)) {
                nodes.push(node.clone().unbind());
            }
        });
    }

    /// [`Self::leave`] in a finalizer: of a call that was made in one, or of a coroutine that the
    /// collector closes.
    ///
    /// A copy of the context keeps the mapping alive that a `ContextVar.set` of a user may be
    /// changing. That one then undoes this change of the context: so [`Self::get`] passes over nodes
    /// that were left here.
    #[cold]
    fn leave_in_collection(&self, node: &Bound<'_, Node>, token: &ContextToken) -> bool {
        let py = node.py();
        let innermost = self.in_collection.with(py, |nodes| nodes.pop_if(|last| last.is(node)));
        if let Some(innermost) = innermost {
            drop(innermost.into_bound(py));
        } else if !token.is_empty(py) {
            node.get().set_left_in_collection(py);
            self.left_in_collection.set(py, true);
            // SAFETY: the interpreter lock is held; the result is owned or null.
            let copy = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyContext_CopyCurrent()) };
            if let (Some(copy), Some(token)) = (copy, token.token.take(py)) {
                self.kept_contexts.with(py, |kept| kept.push(copy.unbind()));
                let token = token.into_bound(py);
                self.reset(&token);
                drop(token);
            }
        }
        true
    }

    /// Makes current what was so before `node`: `outside`, or the nearest of its callers to which one
    /// can return. `was_current` says whether `node` was current until now.
    #[cold]
    pub(crate) fn set_outside<'py>(
        &self,
        node: &Bound<'py, Node>,
        was_current: bool,
        outside: Bound<'py, Node>,
    ) -> PyResult<()> {
        if !was_current {
            self.left_by_turns.set(node.py(), true);
        }
        self.set(&by_turns::returned_to(node, was_current, outside)).map(drop)
    }

    fn reset(&self, token: &Bound<'_, PyAny>) -> bool {
        let _paused = CollectorPaused::new(token.py());
        // SAFETY: both are valid objects.
        unsafe {
            let reset = ffi::PyContextVar_Reset(self.variable.as_ptr(), token.as_ptr()) == 0;
            if !reset {
                ffi::PyErr_Clear();
            }
            reset
        }
    }
}
