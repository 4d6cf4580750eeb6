//! What metrics use of a profiler: the root of its tree, the current node, the paths of its calls
//! and the number of its waiting records.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use phanos_core::path_cache::{Naming, PathCache};

use crate::interp::entry::registered;
use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::{GilCell, GilValue};
use crate::tree::current::{ContextToken, CurrentNode};
use crate::tree::node::Node;

/// The largest number of interned paths of a profiler: 100,000 distinct ones are in the cache,
/// and it takes less than 20 MB.
const MAX_PATHS: usize = 1 << 17;

/// The tree of the default profiler, for metrics that no profiler has.
static DEFAULT: GilCell<Option<Py<CallTree>>> = GilCell::new(None);

#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct CallTree {
    current: CurrentNode,
    root: GilCell<Option<Py<Node>>>,
    /// Records waiting in the metrics of this profiler.
    waiting: GilValue<usize>,
    pub(crate) paths: GilCell<PathCache>,
    /// Grows whenever paths are made in another way from then on.
    pub(crate) naming_revision: GilValue<u32>,
}

impl_traverse!(CallTree { current, root });

impl CallTree {
    /// The tree of `root`, with a new context variable called `name` for the current node.
    pub(crate) fn new(name: &CStr, root: &Bound<'_, Node>) -> PyResult<Self> {
        Ok(Self {
            current: CurrentNode::new(name, root)?,
            root: GilCell::new(Some(root.clone().unbind())),
            waiting: GilValue::new(0),
            paths: GilCell::new(PathCache::new(MAX_PATHS)),
            naming_revision: GilValue::new(0),
        })
    }

    /// Makes paths by `naming` from now on.
    pub(crate) fn set_naming(&self, py: Python<'_>, naming: Naming) {
        let is_new = self.paths.with(py, |paths| {
            let is_new = paths.naming() != naming;
            if is_new {
                paths.set_naming(naming);
            }
            is_new
        });
        if is_new {
            self.naming_revision.set(py, self.naming_revision.get(py).wrapping_add(1));
        }
    }

    /// The tree of the default profiler.
    pub(crate) fn default_tree(py: Python<'_>) -> Option<Py<Self>> {
        DEFAULT.object(py)
    }

    pub(crate) fn make_default(tree: &Py<Self>, py: Python<'_>) {
        DEFAULT.set(py, Some(tree.clone_ref(py)));
    }

    /// The context variable that holds the current node.
    pub(crate) fn variable(&self) -> &Py<PyAny> {
        self.current.variable()
    }

    pub(crate) fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        match self.root.bound(py) {
            Some(root) => Ok(root),
            None => Node::new_root(py), // Only after the garbage collector has cleared this object.
        }
    }

    pub(crate) fn set_root(&self, py: Python<'_>, root: Py<Node>) {
        self.root.set(py, Some(root));
    }

    /// True if `node` has no live call above it.
    pub(crate) fn is_top(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        self.root.with(py, |root| root.as_ref().is_none_or(|root| node.get().is_top(py, root)))
    }

    /// Adds `added` to the number of waiting records and subtracts `removed`.
    pub(crate) fn count_waiting(&self, py: Python<'_>, added: usize, removed: usize) {
        self.waiting.set(py, (self.waiting.get(py) + added).saturating_sub(removed));
    }

    pub(crate) fn waiting(&self, py: Python<'_>) -> usize {
        self.waiting.get(py)
    }

    /// The value of `curr_node` in the running context; the root if that is no node.
    #[inline]
    pub(crate) fn current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        match self.current.get(py)? {
            Some(node) => Ok(node),
            None => self.root(py),
        }
    }

    /// Makes `node` current, without a way back.
    pub(crate) fn set_current(&self, node: &Bound<'_, Node>) -> PyResult<()> {
        self.current.set(node).map(drop)
    }

    /// Makes `outside` current after `node`, or the nearest of its callers to which one can return.
    pub(crate) fn leave_to<'py>(
        &self,
        node: &Bound<'py, Node>,
        was_current: bool,
        outside: Bound<'py, Node>,
    ) -> PyResult<()> {
        self.current.set_outside(node, was_current, outside)
    }

    /// Makes `node` current until [`Self::leave`]; fills `token`, which must be empty.
    #[inline]
    pub(crate) fn enter(&self, node: &Bound<'_, Node>, token: &ContextToken) -> PyResult<()> {
        self.current.enter(node, token)
    }

    /// Makes the node current that was current before `node` was entered.
    #[inline]
    pub(crate) fn leave(&self, node: &Bound<'_, Node>, token: &ContextToken) {
        if !self.current.leave(node, token) {
            registered(node.py(), || self.leave_in_other_context(node));
        }
    }

    /// Leaves the node of a coroutine or generator that ends in another context than it was
    /// started in. `node` is current there only if that context was copied meanwhile.
    #[cold]
    fn leave_in_other_context(&self, node: &Bound<'_, Node>) {
        let py = node.py();
        if !self.current(py).is_ok_and(|current| current.is(node)) {
            return;
        }
        let caller = node.get().caller(py).map(|caller| caller.into_bound(py));
        if let Some(caller) = caller.or_else(|| self.root.bound(py))
            && self.current.set(&caller).is_err()
        {
            // SAFETY: the interpreter lock is held. There is no memory for a token, and nothing
            // else to try.
            unsafe { ffi::PyErr_Clear() };
        }
    }
}

#[pymethods]
impl CallTree {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.root.replace(py, None));
    }
}
