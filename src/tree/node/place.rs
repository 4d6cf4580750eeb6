//! A node's place in the forest of live calls: its parent and its children.

use std::mem;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use phanos_core::forest::{Forest, NodeId};

use super::{Node, State};
use crate::interp::gil_cell::GilCell;

/// All trees of the process. A node below another is kept alive by its place in here, as a
/// list of children would; a root is only pointed at.
static FOREST: GilCell<Option<Forest<Holder>>> = GilCell::new(None);

enum Holder {
    Child(Py<Node>),
    Root(Py<PyWeakrefReference>),
}

impl Holder {
    fn release(self, py: Python<'_>) {
        match self {
            Self::Child(node) => node.drop_ref(py),
            Self::Root(reference) => reference.drop_ref(py),
        }
    }
}

fn with_forest<R>(py: Python<'_>, body: impl FnOnce(&mut Forest<Holder>) -> R) -> R {
    FOREST.with(py, |forest| body(forest.get_or_insert_with(Forest::new)))
}

impl Node {
    /// True if no live call stands between this node and `root`.
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

    /// Takes the node out of its tree; its children move up to its parent.
    /// False if it has no place in any tree.
    pub(crate) fn remove(&self, py: Python<'_>) -> bool {
        let Some(place) = self.state.with(py, |state| state.place.take()) else {
            return false;
        };
        if let Some(holder) = with_forest(py, |forest| forest.remove_child(place)) {
            holder.release(py);
            return true;
        }
        let orphans = with_forest(py, |forest| forest.children(place));
        let holder = with_forest(py, |forest| forest.remove(place));
        release_roots(py, orphans);
        holder.map(|holder| holder.release(py)).is_some()
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
                    Some(Holder::Child(node)) => Some(node.clone_ref(py)),
                    _ => None,
                })
                .collect()
        })
    }

    pub(crate) fn parent_of(&self, py: Python<'_>) -> Option<Py<Self>> {
        let place = self.place(py)?;
        let holder = with_forest(py, |forest| {
            let parent = forest.parent(place)?;
            Some(match forest.get(parent)? {
                Holder::Child(node) => Ok(node.clone_ref(py)),
                Holder::Root(reference) => Err(reference.clone_ref(py)),
            })
        })?;
        match holder {
            Ok(node) => Some(node),
            Err(reference) => {
                let node = reference.bind(py).upgrade()?;
                node.cast_into::<Self>().ok().map(Bound::unbind)
            }
        }
    }
}

/// Places the node of a call under `caller`, or the nearest node at or above that which is still
/// live, in the end under `root`.
pub(super) fn under<'py>(
    node: &Bound<'py, Node>,
    caller: &Bound<'py, Node>,
    root: impl FnOnce() -> PyResult<Bound<'py, Node>>,
) -> PyResult<NodeId> {
    let py = node.py();
    let kept = Holder::Child(node.clone().unbind());
    let inserted = match caller.get().place(py) {
        Some(place) => with_forest(py, |forest| forest.insert_under(place, kept)),
        None => Err(kept),
    };
    match inserted {
        Ok(place) => Ok(place),
        Err(kept) => further_up(caller, kept, root),
    }
}

/// For a call whose caller has ended.
#[cold]
fn further_up<'py>(
    ended: &Bound<'py, Node>,
    kept: Holder,
    root: impl FnOnce() -> PyResult<Bound<'py, Node>>,
) -> PyResult<NodeId> {
    let py = ended.py();
    let parent = match live_place(ended) {
        Some(place) => place,
        None => of(&root()?)?,
    };
    Ok(with_forest(py, |forest| match forest.insert_under(parent, kept) {
        Ok(place) => place,
        Err(kept) => forest.insert(kept),
    }))
}

/// Makes `child` the last child of `parent`; false if it is that one itself or above it.
pub(super) fn append(parent: &Bound<'_, Node>, child: &Bound<'_, Node>) -> PyResult<bool> {
    let py = parent.py();
    let (parent_place, child_place) = (of(parent)?, of(child)?);
    let kept = Holder::Child(child.clone().unbind());
    if !with_forest(py, |forest| forest.append(parent_place, child_place)) {
        return Ok(false);
    }
    let before = with_forest(py, |forest| {
        forest.get_mut(child_place).map(|holder| mem::replace(holder, kept))
    });
    drop(before);
    forget_caller(parent, child);
    Ok(true)
}

/// Takes everything below `node` out of the tree; whoever drops it runs code of users.
pub(super) fn take_below(node: &Node, py: Python<'_>) -> impl Sized {
    let Some(place) = node.place(py) else {
        return Vec::new();
    };
    with_forest(py, |forest| {
        let children = forest.children(place);
        children.into_iter().flat_map(|child| forest.remove_tree(child)).collect()
    })
}

/// Gives up the place of a node that is freed.
pub(super) fn leave(py: Python<'_>, place: NodeId) {
    let (held, orphans) = with_forest(py, |forest| {
        let orphans = forest.children(place);
        (forest.remove(place), orphans)
    });
    drop(held);
    release_roots(py, orphans);
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
            Some(Holder::Child(node)) => visit.call(node),
            _ => Ok(()),
        })
    });
    visited.unwrap_or(Ok(()))
}

/// The place of `node`, given one now if it has none.
pub(super) fn of(node: &Bound<'_, Node>) -> PyResult<NodeId> {
    let py = node.py();
    if let Some(place) = node.get().place(py)
        && with_forest(py, |forest| forest.contains(place))
    {
        return Ok(place);
    }
    let reference = PyWeakrefReference::new(node)?.unbind();
    let place = with_forest(py, |forest| forest.insert(Holder::Root(reference)));
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

/// Cuts the way up from `node` where it comes to `ended`, which is about to be below: `node`
/// was below it before one of them was taken out of its tree.
fn forget_caller(node: &Bound<'_, Node>, ended: &Bound<'_, Node>) {
    let py = node.py();
    let mut below = node.clone();
    while let Some(caller) = below.get().caller(py).map(|caller| caller.into_bound(py)) {
        if caller.is(ended) {
            drop(below.get().state.with(py, |state| state.caller.take()));
            return;
        }
        below = caller;
    }
}

/// Nodes that lost their last parent are roots from now on: pointed at, not kept.
fn release_roots(py: Python<'_>, places: Vec<NodeId>) {
    for place in places {
        let node = with_forest(py, |forest| match forest.get(place) {
            Some(Holder::Child(node)) => Some(node.clone_ref(py)),
            _ => None,
        });
        let Some(node) = node else { continue };
        let Ok(reference) = PyWeakrefReference::new(node.bind(py)) else {
            continue;
        };
        let reference = Holder::Root(reference.unbind());
        let kept = with_forest(py, |forest| {
            forest.get_mut(place).map(|holder| mem::replace(holder, reference))
        });
        drop(kept);
    }
}
