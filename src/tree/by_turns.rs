//! Which node is current after calls that overlap in one context without being nested, such as
//! coroutines that are driven by turns: they end in any order.
//!
//! A call returns to the node that was current when it began. If that has ended meanwhile, there are
//! two cases. In another context, as that of a task that outlives its root, it is returned to all
//! the same: what the task calls next belongs below it. In the same context it must not be, or every
//! later call would hang below it, and it would stay for ever.
//!
//! Contexts cannot be told apart. But where calls take turns in one, some call is not current when
//! it ends. It is marked then, and with it what becomes current in its place with all its callers:
//! calls that began below them go on, and are not seen from there. What is marked is not returned to
//! once it has ended.

use pyo3::prelude::*;

use crate::tree::node::Node;

/// The node to make current after `node`: `outside`, which was current before, or the nearest of its
/// callers to which one can return. `was_current` says whether `node` was current until now.
pub(crate) fn returned_to<'py>(
    node: &Bound<'py, Node>,
    was_current: bool,
    outside: Bound<'py, Node>,
) -> Bound<'py, Node> {
    let py = node.py();
    if was_current {
        if node.get().began_late(py) {
            return outside;
        }
        return nearest(outside, |node| !(node.takes_turns(py) && node.is_inactive(py)));
    }
    node.get().set_takes_turns(py);
    let nearest = nearest(outside, |node| !node.is_inactive(py));
    let mut next = Some(nearest.clone());
    while let Some(node) = next {
        node.get().set_takes_turns(py);
        next = node.get().caller(py).map(|caller| caller.into_bound(py));
    }
    nearest
}

/// `node`, or the nearest of its callers that is `wanted`, or the last one.
fn nearest(node: Bound<'_, Node>, wanted: impl Fn(&Node) -> bool) -> Bound<'_, Node> {
    let py = node.py();
    let mut nearest = node;
    while !wanted(nearest.get())
        && let Some(caller) = nearest.get().caller(py)
    {
        nearest = caller.into_bound(py);
    }
    nearest
}
