//! Calls that users begin and end themselves, by `set_curr_node` and `delete_curr_node`, and those
//! whose steps are taken in Python.

use std::rc::Rc;
use std::sync::Arc;

use pyo3::prelude::*;

use phanos_core::path::Path;
use phanos_core::path_cache::hash_name;

use crate::call::function::ProfiledFunction;
use crate::profiler::core::ProfilerCore;
use crate::tree::context::call_name;
use crate::tree::node::Node;
use crate::tree::{owner, qualified};

/// Begins a call of `callable`: returns a new node under the current one, and makes it current.
///
/// Errors: `TypeError` if `callable` has no name.
#[pyfunction]
pub(crate) fn begin_call<'py>(
    core: &Bound<'py, ProfilerCore>,
    callable: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, Node>> {
    let py = core.py();
    let tree = core.get().tree.get();
    let caller = tree.current(py)?;
    let path = path_of(core.get(), callable, &caller.get().path(py))?;
    let method = ProfiledFunction::info(callable).map_or(callable, |info| info.function.bind(py));
    let node = Node::unstarted(py)?;
    Node::begin(&node, path, method, caller, || tree.root(py))?;
    tree.set_current(&node)?;
    Ok(node)
}

/// Ends a call that [`begin_call`] began: takes its node out of the tree, and makes the node of
/// its caller current, or that of its nearest caller to which one can return.
#[pyfunction]
pub(crate) fn end_call(core: &Bound<'_, ProfilerCore>, node: &Bound<'_, Node>) -> PyResult<()> {
    let py = core.py();
    let tree = core.get().tree.get();
    let caller = match node.get().caller(py).or_else(|| node.get().parent_of(py)) {
        Some(caller) => caller.into_bound(py),
        None => tree.root(py)?,
    };
    node.get().remove(py);
    let was_current = tree.current(py)?.is(node);
    tree.leave_to(node, was_current, caller)
}

/// At a `yield` of the generator whose call has `node`: makes `outside` current, the node that was
/// so before the body was last resumed, or its nearest caller to which one can return.
#[pyfunction]
pub(crate) fn suspend_call(
    core: &Bound<'_, ProfilerCore>,
    node: &Bound<'_, Node>,
    outside: Bound<'_, Node>,
) -> PyResult<()> {
    let py = core.py();
    let tree = core.get().tree.get();
    // The node of a call that has ended was left before, by `end_call`.
    let was_current = node.get().is_inactive(py) || tree.current(py)?.is(node);
    node.get().set_suspended(py, true);
    tree.leave_to(node, was_current, outside)
}

/// After a `yield`: makes `node` current again. Returns the node that was so outside.
#[pyfunction]
pub(crate) fn resume_call<'py>(
    core: &Bound<'py, ProfilerCore>,
    node: &Bound<'py, Node>,
) -> PyResult<Bound<'py, Node>> {
    let tree = core.get().tree.get();
    let outside = tree.current(core.py())?;
    node.get().set_suspended(core.py(), false);
    tree.set_current(node)?;
    Ok(outside)
}

/// True if the call of `node` began without a profiled caller.
#[pyfunction]
pub(crate) fn began_as_root(py: Python<'_>, node: &Bound<'_, Node>) -> bool {
    node.get().caller(py).is_none_or(|caller| caller.get().path(py).is_empty())
}

/// The path of a call of `callable`, decorated or not, under `caller`.
fn path_of(
    core: &ProfilerCore,
    callable: &Bound<'_, PyAny>,
    caller: &Rc<Path>,
) -> PyResult<Rc<Path>> {
    let py = callable.py();
    let tree = core.tree.get();
    let paths = &tree.paths;
    if let Some(info) = ProfiledFunction::info(callable) {
        return Ok(info.path(py, caller, tree, || None));
    }
    let mut name = call_name(callable)?;
    if paths.with(py, |paths| paths.naming().qualified) {
        name = qualified::name_of(callable).unwrap_or(name);
        let name: Arc<str> = name.into();
        return Ok(paths.with(py, |paths| paths.child(caller, &name, hash_name(&name))));
    }
    if caller.is_empty() {
        return Ok(owner::resolve(callable, &name, paths).0);
    }
    let hash = hash_name(&name);
    Ok(paths.with(py, |paths| paths.child(caller, &name.into(), hash)))
}
