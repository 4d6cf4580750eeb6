//! `phanos.tree.MethodTreeNode`: the node of one profiled call, or the root of a tree.

use std::rc::Rc;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use phanos_core::forest::NodeId;
use phanos_core::path::Path;

use crate::interp::entry::registered;
use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::GilCell;
use crate::tree::attributes::{self, HasAttributes};
use crate::tree::context::{Context, path_of_method};
use crate::tree::owner::owner_of;

mod place;
mod pool;

/// What the caller of a node was when its call began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CallerWas {
    Live,
    Ended,
}

// Each flag is set by another step, and read alone.
#[allow(clippy::struct_excessive_bools)]
struct State {
    path: Rc<Path>,
    /// Made when `ctx` is first read; from then on it has the valid path, since users may set it.
    context: Option<Py<Context>>,
    method: Option<Py<PyAny>>,
    /// The node's place in the forest of live calls; `None` before the call and after it.
    place: Option<NodeId>,
    /// The node that was current when this one began. It becomes current again, and the search
    /// for a live ancestor goes on from it when this node has no place any more.
    caller: Option<Py<Node>>,
    logger: Option<Py<PyAny>>,
    /// True while the node's call is a generator that is suspended.
    suspended: bool,
    /// True if the collector ended the node's call while it was current, and the context could not
    /// be changed: see `CurrentNode::leave`.
    left_in_collection: bool,
    /// True if the node's call takes turns with others of its context: see `by_turns`.
    takes_turns: bool,
    /// True if nothing is recorded of the node's call: its tree is left out by `sample_rate`.
    unsampled: bool,
    caller_was: CallerWas,
    attributes: Option<Py<PyDict>>,
}

// Without a `dict` slot: CPython 3.11 and 3.12 would make a dict for each node (40 ns), and their
// garbage collector could meanwhile visit a node that PyO3 has not filled in yet.
#[pyclass(name = "MethodTreeNode", module = "phanos.tree", subclass, frozen, weakref)]
pub(crate) struct Node {
    state: GilCell<State>,
}

impl_traverse!(State { context, method, caller, logger, attributes });

impl HasAttributes for Node {
    fn attributes(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.state.with(py, |state| state.attributes.as_ref().map(|dict| dict.clone_ref(py)))
    }

    fn set_attributes(&self, py: Python<'_>, attributes: Py<PyDict>) {
        let before = self.state.with(py, |state| state.attributes.replace(attributes));
        drop(before);
    }
}

impl Node {
    /// A node without a context, a method and a place.
    fn blank() -> Self {
        Self {
            state: GilCell::new(State {
                path: Path::literal(""),
                context: None,
                method: None,
                place: None,
                caller: None,
                logger: None,
                suspended: false,
                left_in_collection: false,
                takes_turns: false,
                unsampled: false,
                caller_was: CallerWas::Live,
                attributes: None,
            }),
        }
    }

    /// The root of a new tree: its context is empty, and it has a place without a parent.
    pub(crate) fn new_root(py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        let root = Bound::new(py, Self::blank())?;
        place::get_or_insert(&root)?;
        Ok(root)
    }

    /// A node for a call that has not begun, from the pool if that has one.
    pub(crate) fn unstarted(py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        match pool::take(py) {
            Some(node) => Ok(node),
            None => Bound::new(py, Self::blank()),
        }
    }

    /// Begins a call of `method` made by `caller`: gives the unstarted node `slf` a place under
    /// `caller`, or else under its nearest live ancestor, or else under `root`.
    pub(crate) fn begin<'py>(
        slf: &Bound<'py, Self>,
        path: Rc<Path>,
        method: &Bound<'py, PyAny>,
        caller: Bound<'py, Self>,
        root: impl FnOnce() -> PyResult<Bound<'py, Self>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (place, caller_was) = place::insert_under(slf, &caller, root)?;
        // An unstarted node has neither method nor caller, unless a user got hold of it in the pool:
        // `gc.get_objects()` shows it.
        let before = slf.get().state.with(py, |state| {
            state.path = path;
            state.place = Some(place);
            state.left_in_collection = false;
            state.takes_turns = false;
            state.unsampled = false;
            state.caller_was = caller_was;
            (state.method.replace(method.clone().unbind()), state.caller.replace(caller.unbind()))
        });
        if let (None, None) = before {
            return Ok(());
        }
        registered(py, || drop(before));
        Ok(())
    }

    pub(crate) fn path(&self, py: Python<'_>) -> Rc<Path> {
        self.state.with(py, |state| match &state.context {
            Some(context) => context.get().path(py),
            None => Rc::clone(&state.path),
        })
    }

    /// Sets whether the node's call, a generator, is suspended.
    pub(crate) fn set_suspended(&self, py: Python<'_>, suspended: bool) {
        self.state.with(py, |state| state.suspended = suspended);
    }

    /// Notes that the collector ended the node's call, and the context still has the node.
    pub(crate) fn set_left_in_collection(&self, py: Python<'_>) {
        self.state.with(py, |state| state.left_in_collection = true);
    }

    pub(crate) fn was_left_in_collection(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.left_in_collection)
    }

    /// True if the node's call is suspended or has ended.
    pub(crate) fn is_inactive(&self, py: Python<'_>) -> bool {
        self.state
            .with(py, |state| state.suspended || (state.place.is_none() && state.caller.is_some()))
    }

    /// Marks a node whose call takes turns with others of its context: see `by_turns`.
    pub(crate) fn set_takes_turns(&self, py: Python<'_>) {
        self.state.with(py, |state| state.takes_turns = true);
    }

    pub(crate) fn takes_turns(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.takes_turns)
    }

    /// Marks a node whose call, and all below it, is not recorded.
    pub(crate) fn set_unsampled(&self, py: Python<'_>) {
        self.state.with(py, |state| state.unsampled = true);
    }

    pub(crate) fn is_unsampled(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.unsampled)
    }

    /// True if the node's caller had ended when its call began.
    pub(crate) fn began_late(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.caller_was == CallerWas::Ended)
    }

    /// The node that was current when this one began.
    pub(crate) fn caller(&self, py: Python<'_>) -> Option<Py<Self>> {
        self.state.with(py, |state| state.caller.as_ref().map(|caller| caller.clone_ref(py)))
    }
}

#[pymethods]
impl Node {
    /// Ignores the arguments: the `__init__` of a subclass may take any.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(method=None, logger=None)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::blank()
    }

    #[pyo3(signature = (method=None, logger=None))]
    fn __init__(
        &self,
        py: Python<'_>,
        method: Option<Bound<'_, PyAny>>,
        logger: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let path = path_of_method(method.as_ref(), "MethodTreeNode")?;
        let method = method.map(Bound::unbind);
        let before = self.state.with(py, |state| {
            state.path = path;
            (
                state.context.take(),
                std::mem::replace(&mut state.method, method),
                std::mem::replace(&mut state.logger, logger),
            )
        });
        drop(before);
        Ok(())
    }

    #[getter]
    fn ctx(&self, py: Python<'_>) -> PyResult<Py<Context>> {
        let (known, path, method) = self.state.with(py, |state| {
            (
                state.context.as_ref().map(|context| context.clone_ref(py)),
                Rc::clone(&state.path),
                state.method.as_ref().map(|method| method.clone_ref(py)),
            )
        });
        if let Some(context) = known {
            return Ok(context);
        }
        let context = Py::new(py, Context::of(path, method))?;
        self.set_ctx(py, context.clone_ref(py));
        Ok(context)
    }

    #[setter]
    fn set_ctx(&self, py: Python<'_>, context: Py<Context>) {
        let before = self.state.with(py, |state| state.context.replace(context));
        drop(before);
    }

    #[getter]
    fn parent(&self, py: Python<'_>) -> Option<Py<Self>> {
        self.parent_of(py)
    }

    /// Moves the node under another one, or out of its tree; its path stays as it is.
    #[setter]
    fn set_parent<'py>(slf: &Bound<'py, Self>, parent: Option<Bound<'py, Self>>) -> PyResult<()> {
        match &parent {
            None => place::detach(slf),
            Some(parent) => {
                if !place::append(parent, slf)? {
                    return Err(PyTypeError::new_err(
                        "parent expects a node that is not the node itself nor below it",
                    ));
                }
            }
        }
        let parent = parent.map(Bound::unbind);
        let before =
            slf.get().state.with(slf.py(), |state| std::mem::replace(&mut state.caller, parent));
        drop(before);
        Ok(())
    }

    #[getter]
    fn children<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.children_of(py))
    }

    #[getter]
    fn logger(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let own = |node: &Self| {
            node.state.with(py, |state| state.logger.as_ref().map(|logger| logger.clone_ref(py)))
        };
        if let Some(logger) = own(self) {
            return Ok(logger);
        }
        // Nodes made by a profiler use the logger of the root of its tree.
        let mut next = self.caller(py);
        while let Some(node) = next {
            if let Some(logger) = own(node.get()) {
                return Ok(logger);
            }
            next = node.get().caller(py);
        }
        Ok(py.import("logging")?.call_method1("getLogger", ("phanos",))?.unbind())
    }

    #[setter]
    fn set_logger(&self, py: Python<'_>, logger: Option<Py<PyAny>>) {
        let before = self.state.with(py, |state| std::mem::replace(&mut state.logger, logger));
        drop(before);
    }

    #[getter]
    #[allow(clippy::unused_self)] // Python reads it from an object.
    fn logged_name(&self) -> &'static str {
        "phanos"
    }

    fn add_child<'py>(
        slf: &Bound<'py, Self>,
        child: Bound<'py, Self>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        if !place::append(slf, &child)? {
            return Err(PyTypeError::new_err(
                "add_child expects a node that is not the parent itself nor above it",
            ));
        }
        let node = child.get();
        let parent_path = slf.get().path(py);
        let path = node.path(py);
        let path = if parent_path.is_empty() {
            let method = node
                .state
                .with(py, |state| state.method.as_ref().map(|method| method.clone_ref(py)));
            let owner = match method {
                Some(method) => owner_of(method.bind(py))?,
                None => String::new(),
            };
            Path::literal(&format!("{owner}:{path}"))
        } else {
            parent_path.child(path.text().into())
        };
        let before = node.state.with(py, |state| {
            if let Some(context) = &state.context {
                context.get().set_path(py, Rc::clone(&path));
            }
            let slf = slf.clone().unbind();
            (std::mem::replace(&mut state.path, path), state.caller.replace(slf))
        });
        drop(before);
        Ok(child)
    }

    #[pyo3(name = "_remove")]
    fn remove_from_tree(&self, py: Python<'_>) -> bool {
        self.remove(py)
    }

    /// Removes all descendants of this node from the tree.
    #[pyo3(name = "_clear_below")]
    fn clear_below(&self, py: Python<'_>) {
        drop(place::remove_descendants(self, py));
    }

    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        attributes::get(slf, name)
    }

    fn __setattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        attributes::set(slf, name, Some(value))
    }

    fn __delattr__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyString>) -> PyResult<()> {
        attributes::set(slf, name, None)
    }

    #[getter]
    fn __dict__(slf: &Bound<'_, Self>) -> Py<PyDict> {
        attributes::dict(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.state.traverse(&visit)?;
        // The forest holds the children on behalf of their parent.
        place::traverse_children(&self.state, &visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        let taken = self.state.with(py, |state| {
            let calls = (state.method.take(), state.caller.take());
            (calls, state.context.take(), state.logger.take(), state.attributes.take())
        });
        drop(taken);
        self.clear_below(py);
    }
}

impl Drop for Node {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: nodes are in Python objects, which are freed with the interpreter lock held.
        // Attaching again would cost 10 ns per call.
        let py = unsafe { Python::assume_attached() };
        // The node of a call that has ended regularly has no place, and its caller is still
        // referenced by others.
        let (place, caller) =
            self.state.with(py, |state| (state.place.take(), state.caller.take()));
        if let Some(place) = place {
            place::vacate(py, place);
        }
        // In a loop: dropping a long chain of ended callers would recurse as deep as it is long.
        let mut next = caller;
        while let Some(node) = next {
            // SAFETY: the object is valid and the interpreter lock is held.
            next = if unsafe { ffi::Py_REFCNT(node.as_ptr()) } == 1 {
                node.get().state.with(py, |state| state.caller.take())
            } else {
                None
            };
        }
    }
}
