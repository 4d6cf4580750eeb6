//! What happens to a deferred call where its body begins, is suspended, is resumed and ends.
//!
//! Every step runs in `enter_unregistered`: what it drops is a `Bound`, and code of users is called
//! in `registered`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use phanos_core::clock::Start;

use super::{DeferredCall, Running};
use crate::call::function::ProfiledFunction;
use crate::call::lifecycle::{self, Call, Ending, Nesting};
use crate::interp::entry::registered;
use crate::interp::exceptions::{may_await_more, swallow};
use crate::interp::once::intern;
use crate::interp::panics::point;
use crate::interp::user_code;
use crate::profiler::core::ProfilerCore;
use crate::profiler::handover::Outcome;
use crate::profiler::plan::Plan;
use crate::profiler::report;
use crate::profiler::sampling::Choice;
use crate::tree::node::Node;

pub(super) type This<'a, 'py> = &'a Bound<'py, DeferredCall>;

/// Begins a call that waits, unless calls are not recorded now. Returns the decorated function.
///
/// Errors: those of `lifecycle::begin`; `TypeError` if the call has begun already: its node would
/// be its own caller.
#[inline]
pub(super) fn begin<'py>(this: This<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    point("begin deferred");
    let call = this.get();
    let Some(callable) = call.callable.bound(py) else {
        return Err(has_begun());
    };
    let info = ProfiledFunction::info_of(&callable);
    let core = info.core.get();
    let plan = if core.enabled(py) { core.plan(py) } else { None };
    if let Some(plan) = plan {
        if !call.is_waiting(py) {
            return Err(has_begun());
        }
        let (plan, is_silent) = match plan.get().sampling.as_ref() {
            None => (plan, false),
            Some(sampling) => match sampling.choose(py, core) {
                Choice::Record => (plan, false),
                Choice::Silent(silent) => (silent, true),
                Choice::Skip => return Ok(callable),
            },
        };
        let node = Node::unstarted(py)?;
        let (object, pack) = (|| call.arguments.object(py), || call.arguments.pack(py));
        let mut nesting =
            lifecycle::begin(&node, &call.token, core, plan.get(), info, object, pack)
                .map_err(|error| *error)?;
        if is_silent {
            node.get().set_unsampled(py);
            nesting = Nesting::Unsampled;
        }
        let (plan, node) = (plan.unbind(), node.unbind());
        call.running.set(py, Some(Running { plan, node, started: Start::now(), nesting }));
    }
    Ok(callable)
}

/// Users find the calls of their coroutines in frames.
#[cold]
fn has_begun() -> PyErr {
    PyTypeError::new_err("expected the call of a coroutine or generator that has not begun")
}

/// Ends a call, unless asynchronous handlers have to be awaited first: true then, and the call is
/// recorded and has the dispatches. Does nothing for a call that has not begun or has ended.
///
/// `result` is what the function returned; `None` while an exception that it raised is handled.
///
/// Errors: what a hook or handler raised that is not an `Exception`; the call has ended then.
#[inline]
pub(super) fn end<'py>(this: This<'_, 'py>, result: Option<&Bound<'py, PyAny>>) -> PyResult<bool> {
    let py = this.py();
    point("end deferred");
    let state = this.get();
    let Some(callable) = state.callable.bound(py) else {
        return Ok(false);
    };
    let Some(Running { plan, node, started, nesting }) = state.take_running(py) else {
        return Ok(false);
    };
    let (plan, node) = (plan.into_bound(py), node.into_bound(py));
    let elapsed_ns = started.elapsed_ns();
    let core = &ProfiledFunction::info_of(&callable).core;
    let call = Call { node, nesting };
    if state.token.is_empty(py) {
        // A generator ends while it is suspended. Its hooks see its node as the current one, if
        // there is memory for that.
        call.node.get().set_suspended(py, false);
        registered(py, || drop(core.get().tree.get().enter(&call.node, &state.token)));
    }
    let ending = Ending { elapsed_ns, result };
    let pack = || state.arguments.pack(py);
    let token = &state.token;
    let outcome =
        lifecycle::record_and_hand_over(py, core, plan.get(), &call, token, &ending, pack);
    let Some(outcome) = outcome else {
        leave_tree(this, core.get(), call.node, result.is_none());
        return Ok(false);
    };
    match *outcome {
        Outcome { to_raise: None, dispatches: Some(dispatches) } => {
            let (plan, node) = (plan.unbind(), call.node.unbind());
            state.running.set(py, Some(Running { plan, node, started, nesting }));
            state.dispatches.set(py, Some(dispatches.unbind()));
            Ok(true)
        }
        Outcome { to_raise, dispatches } => registered(py, || {
            let queued = dispatches
                .map_or(Ok(()), |dispatches| report::queue_dispatches(py, plan.get(), &dispatches));
            leave_tree(this, core.get(), call.node, result.is_none());
            swallow(py, queued)?;
            to_raise.map_or(Ok(false), Err)
        }),
    }
}

/// Ends a call that raised the exception that is being handled. Returns as [`end`], but a call that
/// was closed or cancelled awaits nothing more: its dispatches are queued.
pub(super) fn end_failed(this: This<'_, '_>) -> PyResult<bool> {
    if !end(this, None)? {
        return Ok(false);
    }
    if registered(this.py(), || may_await_more(this.py())) {
        return Ok(true);
    }
    queue_dispatches(this).map(|()| false)
}

#[inline]
fn leave_tree<'py>(this: This<'_, 'py>, core: &ProfilerCore, node: Bound<'py, Node>, failed: bool) {
    lifecycle::leave_tree(core, &node, &this.get().token);
    Node::recycle(node);
    this.get().release(this.py());
    if !failed {
        // The traceback of a failed call shows the wrapper's frame for as long as it lives.
        DeferredCall::recycle(this.clone());
    }
}

/// Ends a call as [`end`] does where nothing can be awaited: dispatches are queued.
pub(super) fn end_without_await<'py>(
    this: This<'_, 'py>,
    result: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    if end(this, result)? { queue_dispatches(this) } else { Ok(()) }
}

/// Ends whatever of a call has not ended: nothing, nearly always.
pub(super) fn ensure_ended(this: This<'_, '_>) -> PyResult<()> {
    if this.get().dispatches.is_some(this.py()) {
        return queue_dispatches(this);
    }
    end_without_await(this, None)
}

/// Queues the dispatches of a recorded call, and ends the call.
fn queue_dispatches(this: This<'_, '_>) -> PyResult<()> {
    let py = this.py();
    registered(py, || {
        let queued = match this.get().take_dispatches(py) {
            Some((plan, dispatches)) if !dispatches.is_empty() => {
                report::queue_dispatches(py, plan.get(), &dispatches)
            }
            _ => Ok(()),
        };
        end_dispatched(this);
        swallow(py, queued).map(drop)
    })
}

/// An awaitable that makes the dispatches of a recorded call; `None` if the call waits for none.
pub(super) fn dispatch<'py>(this: This<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = this.py();
    let start = |(plan, dispatches): (Bound<'py, Plan>, Bound<'py, PyList>)| {
        let profiler = plan.get().profiler.bind(py);
        user_code::call_method(profiler, intern!(py, "_dispatch"), &[&dispatches])
    };
    registered(py, || this.get().take_dispatches(py).map(start).transpose())
}

/// Ends a recorded call whose dispatches were awaited.
pub(super) fn end_dispatched(this: This<'_, '_>) {
    let py = this.py();
    let call = this.get();
    if let Some(callable) = call.callable.bound(py)
        && let Some(Running { plan, node, .. }) = call.take_running(py)
    {
        let (_plan, node) = (plan.into_bound(py), node.into_bound(py));
        let core = ProfiledFunction::info_of(&callable).core.get();
        lifecycle::leave_tree(core, &node, &call.token);
        call.release(py);
    }
}

/// Takes a call that a panic has left in any state out of the tree. It is not recorded any more, and
/// its later steps do nothing.
#[cold]
pub(super) fn give_up(this: This<'_, '_>) {
    let py = this.py();
    let call = this.get();
    let running = call.take_running(py);
    if let (Some(callable), Some(Running { plan, node, .. })) = (call.callable.bound(py), running) {
        let (_plan, node) = (plan.into_bound(py), node.into_bound(py));
        let core = ProfiledFunction::info_of(&callable).core.get();
        lifecycle::leave_tree(core, &node, &call.token);
    }
}

/// At a `yield`: makes current what was so before the body was last resumed.
pub(super) fn suspend(this: This<'_, '_>) {
    let py = this.py();
    point("suspend");
    let call = this.get();
    if !call.token.is_empty(py)
        && let (Some(callable), Some(node)) = (call.callable.bound(py), call.node(py))
    {
        ProfiledFunction::info_of(&callable).core.get().tree.get().leave(&node, &call.token);
        node.get().set_suspended(py, true);
    }
}

/// After a `yield`: makes the node of the call current again.
pub(super) fn resume(this: This<'_, '_>) -> PyResult<()> {
    let py = this.py();
    point("resume");
    let call = this.get();
    match (call.callable.bound(py), call.node(py)) {
        (Some(callable), Some(node)) if call.token.is_empty(py) => {
            let core = ProfiledFunction::info_of(&callable).core.get();
            node.get().set_suspended(py, false);
            core.tree.get().enter(&node, &call.token)
        }
        _ => Ok(()),
    }
}
