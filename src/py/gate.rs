//! What the Python wrapper of a coroutine function or generator calls at its turning points.

use std::sync::Arc;
use std::time::Instant;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::clock::Start;

use super::call::{self, Call, Ending};
use super::entry::known;
use super::gate_functions::{self, GateFunction};
use super::handover::Outcome;
use super::node::{Node, Running};
use super::plan::Plan;
use super::raised::swallow;
use super::site::Site;
use super::user_code;

/// The turning points of calls of one decorated function.
#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct CallGate {
    pub(super) site: Arc<Site>,
}

impl CallGate {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site }
    }

    /// Begins the call of a waiting `node`, unless nothing is recorded.
    ///
    /// Errors: those of `call::begin`; `TypeError` if the node is none that waits. Begun twice
    /// it would be above itself.
    pub(super) fn open(&self, node: &Bound<'_, Node>) -> PyResult<()> {
        let py = node.py();
        let core = self.site.core.get();
        if !core.enabled(py) {
            return Ok(());
        }
        let Some(plan) = core.plan(py) else {
            return Ok(());
        };
        if !node.get().is_waiting(py) {
            return Err(begun_already());
        }
        let Call { level, .. } = call::begin(node.clone(), core, plan.get(), &self.site, || {
            node.get().packed_arguments(py)
        })
        .map_err(|error| *error)?;
        let started = Start::now();
        node.get().with_running(py, |running| {
            *running = Some(Running { plan: plan.unbind(), started, level, deliveries: None });
        });
        Ok(())
    }

    /// Records the end of a call and takes its node away, unless deliveries are to be made
    /// first: these wait in the node then, and the answer is true. Does nothing for a node
    /// that waits still or has ended.
    pub(super) fn conclude<'py>(
        &self,
        node: &Bound<'py, Node>,
        result: Option<&Bound<'py, PyAny>>,
        failed: bool,
    ) -> PyResult<bool> {
        let py = node.py();
        let Some(running) = node.get().with_running(py, Option::take) else {
            return Ok(false);
        };
        let elapsed_ns = running.started.elapsed_ns();
        let Running { plan, started, level, .. } = running;
        let plan = plan.into_bound(py);
        if !node.get().is_entered(py) {
            // Ended while suspended: hooks see the node of the call that they are about, if
            // there is memory for that.
            known(py, || drop(self.site.core.get().here(py).enter(node)));
        }
        let call = Call { node: node.clone(), level };
        let ending = Ending { elapsed_ns, failed, result };
        let pack = || node.get().packed_arguments(py);
        let outcome = call::finish(py, &self.site.core, plan.get(), &call, &ending, pack);
        let Some(outcome) = outcome else {
            self.close_ended(call, failed);
            return Ok(false);
        };
        match *outcome {
            Outcome { interrupted: None, deliveries: Some(deliveries) } => {
                let running = Running {
                    plan: plan.unbind(),
                    started,
                    level,
                    deliveries: Some(deliveries.unbind()),
                };
                node.get().with_running(py, |state| *state = Some(running));
                Ok(true)
            }
            Outcome { interrupted, deliveries } => known(py, || {
                let queued = deliveries
                    .map_or(Ok(()), |deliveries| call::queue(py, plan.get(), &deliveries));
                self.close_ended(call, failed);
                swallow(py, queued)?;
                interrupted.map_or(Ok(false), Err)
            }),
        }
    }

    fn close_ended(&self, call: Call<'_>, failed: bool) {
        let node = call.node;
        call::close(self.site.core.get(), &node);
        node.get().drop_arguments(node.py());
        if !failed {
            // Known to the wrapper that calls us, by a variable and an argument. That of a
            // failed call is seen in the traceback for as long as that lives.
            Node::recycle(node, 3);
        }
    }

    /// Queues the deliveries of a finished call and takes its node away.
    fn settle(&self, node: &Bound<'_, Node>) -> PyResult<()> {
        let py = node.py();
        let queued = match take_deliveries(node) {
            Some((plan, deliveries)) if !deliveries.bind(py).is_empty() => {
                call::queue(py, plan.get(), deliveries.bind(py))
            }
            _ => Ok(()),
        };
        self.close(node);
        swallow(py, queued).map(drop)
    }
}

/// Users come by the nodes and gates of their coroutines through frames.
#[cold]
fn begun_already() -> PyErr {
    PyTypeError::new_err("expected the node of a coroutine or generator that has not begun")
}

/// The deliveries that wait in the node of a finished call, and the plan they were made by.
fn take_deliveries(node: &Bound<'_, Node>) -> Option<(Py<Plan>, Py<PyList>)> {
    let py = node.py();
    let taken = PyList::empty(py).unbind();
    node.get().with_running(py, |running| {
        let running = running.as_mut()?;
        let waiting = running.deliveries.as_mut()?;
        Some((running.plan.clone_ref(py), std::mem::replace(waiting, taken)))
    })
}

#[pymethods]
impl CallGate {
    /// The decorated function visits what both share; once it is gone, so does this.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if Arc::strong_count(&self.site) == 1 {
            visit.call(&self.site.function)?;
            visit.call(&self.site.core)?;
        }
        Ok(())
    }

    /// `start(node)`: begins the call of a coroutine function and returns what that returns.
    #[getter(start)]
    fn get_start<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        gate_functions::bound(slf, GateFunction::Start)
    }

    /// `finish(node, result)`: ends a call that returned `result`. True if asynchronous
    /// handlers have deliveries to make: the node is then still current, until `deliver` was
    /// awaited and `close` called.
    #[getter(finish)]
    fn get_finish<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        gate_functions::bound(slf, GateFunction::Finish)
    }

    /// Begins the call of a generator.
    #[pyo3(signature = (node, /))]
    fn begin(&self, node: &Bound<'_, Node>) -> PyResult<()> {
        self.open(node)
    }

    /// Ends a call that raised, while the exception is handled. True as `finish`.
    #[pyo3(signature = (node, /))]
    fn finish_failed(&self, node: &Bound<'_, Node>) -> PyResult<bool> {
        self.conclude(node, None, true)
    }

    /// Ends a call that returned `result` where nothing can be awaited: deliveries are queued.
    #[pyo3(signature = (node, result, /))]
    fn end<'py>(&self, node: &Bound<'py, Node>, result: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.conclude(node, Some(result), false)? {
            return self.settle(node);
        }
        Ok(())
    }

    /// Ends whatever of a call has not ended yet when an exception leaves its wrapper:
    /// nothing, nearly always.
    #[pyo3(signature = (node, /))]
    fn fail(&self, py: Python<'_>, node: &Bound<'_, Node>) -> PyResult<()> {
        let ended = node.get().with_running(py, |running| {
            running.as_ref().is_some_and(|running| running.deliveries.is_some())
        });
        if ended || self.conclude(node, None, true)? {
            return self.settle(node);
        }
        Ok(())
    }

    /// Takes the node of a finished call away, after its deliveries.
    #[pyo3(signature = (node, /))]
    fn close(&self, node: &Bound<'_, Node>) {
        let py = node.py();
        if node.get().with_running(py, Option::take).is_some() {
            call::close(self.site.core.get(), node);
            node.get().drop_arguments(py);
        }
    }

    /// An awaitable that makes the deliveries of a finished call.
    #[pyo3(signature = (node, /))]
    #[allow(clippy::unused_self)] // Beside its siblings.
    fn deliver<'py>(&self, node: &Bound<'py, Node>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = node.py();
        take_deliveries(node)
            .map(|(plan, deliveries)| {
                user_code::call_method(
                    plan.get().profiler.bind(py),
                    intern!(py, "_deliver"),
                    &[deliveries.bind(py)],
                )
            })
            .transpose()
    }

    /// At a `yield`: what was current at the last resumption is current again.
    #[pyo3(signature = (node, /))]
    fn suspend(&self, py: Python<'_>, node: &Bound<'_, Node>) {
        if node.get().is_entered(py) {
            self.site.core.get().leave(node);
        }
    }

    /// After a `yield`: the node is current again while the body runs.
    #[pyo3(signature = (node, /))]
    fn resume(&self, py: Python<'_>, node: &Bound<'_, Node>) -> PyResult<()> {
        if !node.get().with_running(py, |running| running.is_some()) {
            return Ok(());
        }
        if node.get().is_entered(py) { Ok(()) } else { self.site.core.get().here(py).enter(node) }
    }
}

/// Nanoseconds on the clock that calls are timed with, for starts that Python code keeps.
#[pyfunction]
pub(crate) fn monotonic_ns() -> u64 {
    use std::sync::LazyLock;
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
