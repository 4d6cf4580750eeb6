//! The place of a node in the forest of live calls, which tells its parent and its children.

use std::mem;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use phanos_core::forest::{Forest, NodeId};

use super::{CallerWas, Node, State};
use crate::interp::gil_cell::GilCell;

/// All trees of the process.
static FOREST: GilCell<Option<Forest<NodeRef>>> = GilCell::new(None);

/// How the forest refers to a node.
enum NodeRef {
    /// A node below another is kept alive by its place, as a list of children would keep it.
    Child(Py<Node>),
    /// A root is kept alive by others; the reference is weak.
    Root(Py<PyWeakrefReference>),
}

impl NodeRef {
    fn drop_ref(self, py: Python<'_>) {
        match self {
            Self::Child(node) => node.drop_ref(py),
            Self::Root(reference) => reference.drop_ref(py),
        }
    }
}

fn with_forest<R>(py: Python<'_>, body: impl FnOnce(&mut Forest<NodeRef>) -> R) -> R {
    FOREST.with(py, |forest| body(forest.get_or_insert_with(Forest::new)))
}

impl Node {
    /// True if no live call is between this node and `root`.
    pub(crate) fn is_top(&self, py: Python<'_>, root: &Py<Self>) -> bool {
        let Some(place) = self.place(py) else { return true };
        let root_place = root.get().place(py);
        with_forest(py, |forest| {
            let parent = forest.parent(place);
            parent.is_none() || parent == root_place
        })
    }

    fn place(&self, py: Python<'_>) -> Option<NodeId> {
        self.state.with(py, |state| state.place)
    }

    /// Removes the node from its tree; its children become children of its parent.
    /// False if it is in no tree.
    pub(crate) fn remove(&self, py: Python<'_>) -> bool {
        let Some(place) = self.state.with(py, |state| state.place.take()) else {
            return false;
        };
        if let Some(reference) = with_forest(py, |forest| forest.remove_child(place)) {
            reference.drop_ref(py);
            return true;
        }
        let (removed, orphans) = remove_root(py, place);
        make_roots(py, orphans);
        removed.map(|reference| reference.drop_ref(py)).is_some()
    }

    pub(super) fn children_of(&self, py: Python<'_>) -> Vec<Py<Self>> {
        let Some(place) = self.place(py) else {
            return Vec::new();
        };
        with_forest(py, |forest| {
            forest
                .children(place)
                .into_iter()
                .filter_map(|child| match forest.get(child) {
                    Some(NodeRef::Child(node)) => Some(node.clone_ref(py)),
                    _ => None,
                })
                .collect()
        })
    }

    pub(crate) fn parent_of(&self, py: Python<'_>) -> Option<Py<Self>> {
        let place = self.place(py)?;
        let parent = with_forest(py, |forest| {
            let parent = forest.parent(place)?;
            Some(match forest.get(parent)? {
                NodeRef::Child(node) => NodeRef::Child(node.clone_ref(py)),
                NodeRef::Root(reference) => NodeRef::Root(reference.clone_ref(py)),
            })
        })?;
        match parent {
            NodeRef::Child(node) => Some(node),
            NodeRef::Root(reference) => {
                let node = reference.bind(py).upgrade()?;
                node.cast_into::<Self>().ok().map(Bound::unbind)
            }
        }
    }
}

/// Gives `node` a place under `caller`, or else under its nearest live ancestor, or else under
/// `root`. Says as well what `caller` was.
pub(super) fn insert_under<'py>(
    node: &Bound<'py, Node>,
    caller: &Bound<'py, Node>,
    root: impl FnOnce() -> PyResult<Bound<'py, Node>>,
) -> PyResult<(NodeId, CallerWas)> {
    let py = node.py();
    let reference = NodeRef::Child(node.clone().unbind());
    let inserted = match caller.get().place(py) {
        Some(place) => with_forest(py, |forest| forest.insert_under(place, reference)),
        None => Err(reference),
    };
    match inserted {
        Ok(place) => Ok((place, CallerWas::Live)),
        Err(reference) => Ok((insert_under_ancestor(caller, reference, root)?, CallerWas::Ended)),
    }
}

/// [`insert_under`] for a call whose caller has ended.
#[cold]
fn insert_under_ancestor<'py>(
    ended: &Bound<'py, Node>,
    reference: NodeRef,
    root: impl FnOnce() -> PyResult<Bound<'py, Node>>,
) -> PyResult<NodeId> {
    let py = ended.py();
    let parent = match live_place(ended) {
        Some(place) => place,
        None => get_or_insert(&root()?)?,
    };
    Ok(with_forest(py, |forest| match forest.insert_under(parent, reference) {
        Ok(place) => place,
        Err(reference) => forest.insert(reference),
    }))
}

/// Makes `child` the last child of `parent`; false if it is `parent` itself or an ancestor of it.
pub(super) fn append(parent: &Bound<'_, Node>, child: &Bound<'_, Node>) -> PyResult<bool> {
    let py = parent.py();
    let (parent_place, child_place) = (get_or_insert(parent)?, get_or_insert(child)?);
    let reference = NodeRef::Child(child.clone().unbind());
    if !with_forest(py, |forest| forest.append(parent_place, child_place)) {
        return Ok(false);
    }
    let before = with_forest(py, |forest| {
        forest.get_mut(child_place).map(|current| mem::replace(current, reference))
    });
    drop(before);
    cut_caller_chain(parent, child);
    Ok(true)
}

/// Takes `node`, with all below it, from under its parent.
pub(super) fn detach(node: &Bound<'_, Node>) {
    let py = node.py();
    if let Some(place) = node.get().place(py)
        && with_forest(py, |forest| forest.detach(place))
    {
        make_roots(py, vec![place]);
    }
}

/// Removes all descendants of `node` from the tree and returns the references to them; dropping
/// those can run code of users.
pub(super) fn remove_descendants(node: &Node, py: Python<'_>) -> impl Sized {
    let Some(place) = node.place(py) else {
        return Vec::new();
    };
    with_forest(py, |forest| {
        let children = forest.children(place);
        children.into_iter().flat_map(|child| forest.remove_tree(child)).collect()
    })
}

/// Removes the place of a node that is being freed.
pub(super) fn vacate(py: Python<'_>, place: NodeId) {
    let (removed, orphans) = remove_root(py, place);
    drop(removed);
    make_roots(py, orphans);
}

/// Removes the place of a root; returns the reference to it and the places of its children, which
/// have no parent any more.
fn remove_root(py: Python<'_>, place: NodeId) -> (Option<NodeRef>, Vec<NodeId>) {
    with_forest(py, |forest| {
        let orphans = forest.children(place);
        (forest.remove(place), orphans)
    })
}

/// Shows the children of a node to the garbage collector.
pub(super) fn traverse_children(
    state: &GilCell<State>,
    visit: &PyVisit<'_>,
) -> Result<(), PyTraverseError> {
    let Some(Some(place)) = state.read_for_gc(visit, |state| state.place) else { return Ok(()) };
    let visited = FOREST.read_for_gc(visit, |forest| {
        let Some(forest) = forest else { return Ok(()) };
        forest.children(place).into_iter().try_for_each(|child| match forest.get(child) {
            Some(NodeRef::Child(node)) => visit.call(node),
            _ => Ok(()),
        })
    });
    visited.unwrap_or(Ok(()))
}

/// The place of `node`; if it has none it gets one without a parent.
pub(super) fn get_or_insert(node: &Bound<'_, Node>) -> PyResult<NodeId> {
    let py = node.py();
    if let Some(place) = node.get().place(py)
        && with_forest(py, |forest| forest.contains(place))
    {
        return Ok(place);
    }
    let reference = PyWeakrefReference::new(node)?.unbind();
    let place = with_forest(py, |forest| forest.insert(NodeRef::Root(reference)));
    node.get().state.with(py, |state| state.place = Some(place));
    Ok(place)
}

/// The place of the nearest live node at or above `node`.
fn live_place(node: &Bound<'_, Node>) -> Option<NodeId> {
    let py = node.py();
    let mut next = Some(node.clone());
    while let Some(node) = next {
        if let Some(place) = node.get().place(py)
            && with_forest(py, |forest| forest.contains(place))
        {
            return Some(place);
        }
        next = node.get().caller(py).map(|caller| caller.into_bound(py));
    }
    None
}

/// Cuts the chain of callers of `node` before `child`, which has become a child of `node`: if
/// `child` was among the callers of `node` earlier, the chain would be a circle.
fn cut_caller_chain(node: &Bound<'_, Node>, child: &Bound<'_, Node>) {
    let py = node.py();
    let mut below = node.clone();
    while let Some(caller) = below.get().caller(py).map(|caller| caller.into_bound(py)) {
        if caller.is(child) {
            drop(below.get().state.with(py, |state| state.caller.take()));
            return;
        }
        below = caller;
    }
}

/// Makes roots of nodes that have lost their parent: the forest keeps a weak reference to them.
fn make_roots(py: Python<'_>, places: Vec<NodeId>) {
    for place in places {
        let node = with_forest(py, |forest| match forest.get(place) {
            Some(NodeRef::Child(node)) => Some(node.clone_ref(py)),
            _ => None,
        });
        let Some(node) = node else { continue };
        let Ok(reference) = PyWeakrefReference::new(node.bind(py)) else {
            continue;
        };
        let reference = NodeRef::Root(reference.unbind());
        let before = with_forest(py, |forest| {
            forest.get_mut(place).map(|current| mem::replace(current, reference))
        });
        drop(before);
    }
}
