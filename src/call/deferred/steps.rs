//! The turning points of a deferred call, where its Python wrapper calls.

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use phanos_core::clock::Start;

use super::{DeferredCall, Running};
use crate::call::function::ProfiledFunction;
use crate::call::lifecycle::{self as call, Call, Ending};
use crate::interp::entry::registered;
use crate::interp::exceptions::swallow;
use crate::interp::garbage::Traverse;
use crate::interp::user_code;
use crate::profiler::core::ProfilerCore;
use crate::profiler::handover::Outcome;
use crate::profiler::report;
use crate::tree::node::Node;

/// What a turning point works on.
type This<'a, 'py> = &'a Bound<'py, DeferredCall>;

/// Begins a call that waits, unless nothing is recorded. Returns the decorated function.
///
/// Errors: those of `call::begin`; `TypeError` if it does not wait. Begun twice it would be
/// above itself.
#[inline]
pub(super) fn open<'py>(this: This<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    let call = this.get();
    let Some(callable) = call.callable.bound(py) else {
        return Err(begun_already());
    };
    let info = ProfiledFunction::info_of(&callable);
    let core = info.core.get();
    let plan = if core.enabled(py) { core.plan(py) } else { None };
    if let Some(plan) = plan {
        if !call.is_waiting(py) {
            return Err(begun_already());
        }
        let node = Node::unstarted(py)?;
        let pack = || call.packed_arguments(py);
        let level = call::begin(&node, &call.token, core, plan.get(), info, pack)
            .map_err(|error| *error)?;
        call.run(py, Running { plan, node, started: Start::now(), level });
    }
    Ok(callable)
}

/// Records the end of a call and takes its node away, unless deliveries are to be made
/// first: these wait in the call then, and the answer is true. Does nothing for a call
/// that waits still or has ended.
#[inline]
pub(super) fn conclude<'py>(
    this: This<'_, 'py>,
    result: Option<&Bound<'py, PyAny>>,
    failed: bool,
) -> PyResult<bool> {
    let py = this.py();
    let state = this.get();
    let Some(callable) = state.callable.bound(py) else {
        return Ok(false);
    };
    let Some(Running { plan, node, started, level }) = state.end(py) else {
        return Ok(false);
    };
    let elapsed_ns = started.elapsed_ns();
    let core = &ProfiledFunction::info_of(&callable).core;
    let call = Call { node, level };
    if state.token.is_empty(py) {
        // Ended while suspended: hooks see the node of the call that they are about, if
        // there is memory for that.
        call.node.get().set_suspended(py, false);
        registered(py, || drop(core.get().tree.get().enter(&call.node, &state.token)));
    }
    let ending = Ending { elapsed_ns, failed, result };
    let pack = || state.packed_arguments(py);
    let outcome = call::finish(py, core, plan.get(), &call, &ending, pack);
    let Some(outcome) = outcome else {
        close_ended(this, core.get(), call.node, failed);
        return Ok(false);
    };
    match *outcome {
        Outcome { interrupted: None, deliveries: Some(deliveries) } => {
            state.run(py, Running { plan, node: call.node, started, level });
            state.await_deliveries(deliveries);
            Ok(true)
        }
        Outcome { interrupted, deliveries } => registered(py, || {
            let queued =
                deliveries.map_or(Ok(()), |deliveries| report::queue(py, plan.get(), &deliveries));
            close_ended(this, core.get(), call.node, failed);
            swallow(py, queued)?;
            interrupted.map_or(Ok(false), Err)
        }),
    }
}

#[inline]
fn close_ended<'py>(
    this: This<'_, 'py>,
    core: &ProfilerCore,
    node: Bound<'py, Node>,
    failed: bool,
) {
    let py = this.py();
    call::close(core, &node, &this.get().token);
    Node::recycle(node);
    this.get().let_go(py);
    if !failed {
        // Known to the wrapper that calls us, by a variable and an argument. That of a
        // failed call is seen in the traceback for as long as that lives.
        DeferredCall::recycle(this.clone(), 3);
    }
}

/// Queues the deliveries of a finished call and takes its node away.
fn settle(this: This<'_, '_>) -> PyResult<()> {
    let py = this.py();
    let queued = match this.get().take_deliveries(py) {
        Some((plan, deliveries)) if !deliveries.is_empty() => {
            report::queue(py, plan.get(), &deliveries)
        }
        _ => Ok(()),
    };
    close(this);
    swallow(py, queued).map(drop)
}

fn close(this: This<'_, '_>) {
    let py = this.py();
    let call = this.get();
    if let Some(callable) = call.callable.bound(py)
        && let Some(Running { node, .. }) = call.end(py)
    {
        let core = ProfiledFunction::info_of(&callable).core.get();
        call::close(core, &node, &call.token);
        call.let_go(py);
    }
}

/// Users come by the calls of their coroutines through frames.
#[cold]
fn begun_already() -> PyErr {
    PyTypeError::new_err("expected the call of a coroutine or generator that has not begun")
}

// `begin_coroutine` and `end`, which every coroutine passes, are in `quick`.
#[pymethods]
impl DeferredCall {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.clear(py);
    }

    /// Begins the call of a generator.
    fn begin(slf: &Bound<'_, Self>) -> PyResult<()> {
        open(slf).map(drop)
    }

    /// Ends a call that raised, while the exception is handled. True as `end`.
    #[pyo3(name = "end_failed")]
    fn finish_failed(slf: &Bound<'_, Self>) -> PyResult<bool> {
        conclude(slf, None, true)
    }

    /// Ends a call that returned `result` where nothing can be awaited: deliveries are queued.
    #[pyo3(name = "end_generator", signature = (result, /))]
    fn end_generator<'py>(slf: &Bound<'py, Self>, result: &Bound<'py, PyAny>) -> PyResult<()> {
        if conclude(slf, Some(result), false)? {
            return settle(slf);
        }
        Ok(())
    }

    /// Ends whatever of a call has not ended yet when an exception leaves its wrapper:
    /// nothing, nearly always.
    #[pyo3(name = "ensure_ended")]
    fn fail(slf: &Bound<'_, Self>) -> PyResult<()> {
        if slf.get().awaits_deliveries(slf.py()) || conclude(slf, None, true)? {
            return settle(slf);
        }
        Ok(())
    }

    /// Takes the node of a finished call away, after its deliveries.
    #[pyo3(name = "end_dispatched")]
    fn close_finished(slf: &Bound<'_, Self>) {
        close(slf);
    }

    /// An awaitable that makes the deliveries of a finished call.
    #[pyo3(name = "dispatch")]
    fn deliver<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        slf.get()
            .take_deliveries(py)
            .map(|(plan, deliveries)| {
                user_code::call_method(
                    plan.get().profiler.bind(py),
                    intern!(py, "_dispatch"),
                    &[&deliveries],
                )
            })
            .transpose()
    }

    /// At a `yield`: what was current at the last resumption is current again.
    fn suspend(&self, py: Python<'_>) {
        if !self.token.is_empty(py)
            && let (Some(callable), Some(node)) = (self.callable.bound(py), self.node.bound(py))
        {
            ProfiledFunction::info_of(&callable).core.get().tree.get().leave(&node, &self.token);
            node.get().set_suspended(py, true);
        }
    }

    /// After a `yield`: the node is current again while the body runs.
    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        match (self.callable.bound(py), self.node.bound(py)) {
            (Some(callable), Some(node)) if self.token.is_empty(py) => {
                let core = ProfiledFunction::info_of(&callable).core.get();
                node.get().set_suspended(py, false);
                core.tree.get().enter(&node, &self.token)
            }
            _ => Ok(()),
        }
    }
}
