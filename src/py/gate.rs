//! What a Python wrapper of a coroutine function or generator calls at its turning points.

use std::sync::Arc;
use std::time::Instant;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::clock::Start;

use super::call::{self, Call, Ending};
use super::handover::Outcome;
use super::node::{Node, Running};
use super::plan::Plan;
use super::raised::swallow;
use super::site::Site;
use super::user_code;

/// The turning points of calls of one decorated function.
///
#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct CallGate {
    site: Arc<Site>,
}

impl CallGate {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site }
    }

    /// Records the end of a call and takes its node away, unless deliveries are to be made
    /// first: these wait in the node then, and the answer is true.
    fn conclude<'py>(
        &self,
        node: &Bound<'py, Node>,
        result: Option<&Bound<'py, PyAny>>,
        failed: bool,
    ) -> PyResult<bool> {
        let py = node.py();
        let Some(running) = node.get().with_running(py, Option::take) else {
            return Ok(false);
        };
        let elapsed = running.started.elapsed();
        let Running { plan, token, started, began_as_root, packed, .. } = running;
        let pack = || Ok((packed.0.bind(py).clone(), packed.1.bind(py).clone()));
        let token = token.unwrap_or_else(|| {
            // Ended while suspended: hooks see the node of the call that they are about.
            self.site.core.get().enter(py, node.as_unbound()).unwrap_or_else(|_| py.None())
        });
        let call = Call { node: node.clone().unbind(), token, began_as_root };
        let ending = Ending { elapsed, failed, result };
        let outcome = call::finish(py, &self.site.core, plan.get(), &call, &ending, pack);
        let outcome = outcome.map_or_else(Outcome::default, |outcome| *outcome);
        match (outcome.interrupted, outcome.deliveries) {
            (None, Some(deliveries)) => {
                let token = Some(call.token);
                let deliveries = Some(deliveries.unbind());
                let running = Running { plan, token, started, began_as_root, packed, deliveries };
                node.get().with_running(py, |state| *state = Some(running));
                Ok(true)
            }
            (interrupted, deliveries) => {
                let queued = deliveries
                    .map_or(Ok(()), |deliveries| call::queue(py, plan.get(), &deliveries));
                call::close(py, self.site.core.get(), &call);
                if !failed {
                    // Known to the wrapper that calls us, by a variable and an argument. That
                    // of a failed call is seen in the traceback for as long as that lives.
                    Node::recycle(py, call.node, 3);
                }
                swallow(py, queued)?;
                interrupted.map_or(Ok(false), Err)
            }
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
        self.close(py, Some(node));
        swallow(py, queued).map(drop)
    }
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

    /// Begins a call; `None` if nothing is recorded.
    #[pyo3(signature = (args, kwargs, /))]
    fn begin<'py>(
        &self,
        py: Python<'py>,
        args: Bound<'py, PyTuple>,
        kwargs: Bound<'py, PyDict>,
    ) -> PyResult<Option<Py<Node>>> {
        let core = self.site.core.get();
        if !core.enabled(py) {
            return Ok(None);
        }
        let Some(plan) = core.plan(py) else {
            return Ok(None);
        };
        let packed = (args, kwargs);
        let Call { node, token, began_as_root } =
            call::begin(py, core, plan.get(), &self.site, || Ok(packed.clone()))
                .map_err(|error| *error)?;
        let started = Start::now();
        let packed = (packed.0.unbind(), packed.1.unbind());
        node.get().with_running(py, |running| {
            *running = Some(Running {
                plan,
                token: Some(token),
                started,
                began_as_root,
                packed,
                deliveries: None,
            });
        });
        Ok(Some(node))
    }

    /// Ends a call that returned `result`, or that raised (`failed`; called while the
    /// exception is handled). Without a node nothing was recorded, and nothing is done.
    ///
    /// True if asynchronous handlers have deliveries to make: the node is then still
    /// current, until `deliver` was awaited and `close` called.
    #[pyo3(signature = (node, result, failed, /))]
    fn finish<'py>(
        &self,
        node: Option<&Bound<'py, Node>>,
        result: Option<Bound<'py, PyAny>>,
        failed: bool,
    ) -> PyResult<bool> {
        node.map_or(Ok(false), |node| self.conclude(node, result.as_ref(), failed))
    }

    /// The same where nothing can be awaited: deliveries are queued.
    #[pyo3(signature = (node, result, failed, /))]
    fn end<'py>(
        &self,
        node: Option<&Bound<'py, Node>>,
        result: Option<Bound<'py, PyAny>>,
        failed: bool,
    ) -> PyResult<()> {
        let Some(node) = node else { return Ok(()) };
        if self.conclude(node, result.as_ref(), failed)? {
            return self.settle(node);
        }
        Ok(())
    }

    /// Ends whatever of a call has not ended yet when an exception leaves its wrapper:
    /// nothing, nearly always.
    ///
    /// The exception of a signal handler comes between any two steps of the wrapper, so
    /// `begin` may have done its work without the wrapper knowing the `node`: it is then the
    /// current one, and holds these very `kwargs`, which no other call has.
    #[pyo3(signature = (node, kwargs, /))]
    fn fail<'py>(
        &self,
        py: Python<'py>,
        node: Option<Bound<'py, Node>>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let begun = || -> Option<Bound<'py, Node>> {
            let current = self.site.core.get().current(py).ok()?.into_bound(py);
            let is_own = current.get().with_running(py, |running| {
                running.as_ref().is_some_and(|running| running.packed.1.is(kwargs))
            });
            is_own.then_some(current)
        };
        let Some(node) = node.or_else(begun) else { return Ok(()) };
        let ended = node.get().with_running(py, |running| {
            running.as_ref().is_some_and(|running| running.deliveries.is_some())
        });
        if ended || self.conclude(&node, None, true)? {
            return self.settle(&node);
        }
        Ok(())
    }

    /// Takes the node of a finished call away, after its deliveries.
    #[pyo3(signature = (node, /))]
    fn close(&self, py: Python<'_>, node: Option<&Bound<'_, Node>>) {
        let Some(node) = node else { return };
        if let Some(running) = node.get().with_running(py, Option::take) {
            let call = Call {
                node: node.clone().unbind(),
                token: running.token.unwrap_or_else(|| py.None()),
                began_as_root: running.began_as_root,
            };
            call::close(py, self.site.core.get(), &call);
        }
    }

    /// An awaitable that makes the deliveries of a finished call.
    #[pyo3(signature = (node, /))]
    #[allow(clippy::unused_self)] // Beside its siblings.
    fn deliver<'py>(
        &self,
        py: Python<'py>,
        node: Option<&Bound<'py, Node>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        node.and_then(take_deliveries)
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
    fn suspend(&self, py: Python<'_>, node: Option<&Bound<'_, Node>>) {
        let Some(node) = node else { return };
        let token =
            node.get().with_running(py, |running| running.as_mut().and_then(|r| r.token.take()));
        if let Some(token) = token {
            self.site.core.get().leave(py, node.as_unbound(), &token);
        }
    }

    /// After a `yield`: the node is current again while the body runs.
    #[pyo3(signature = (node, /))]
    fn resume(&self, py: Python<'_>, node: Option<&Bound<'_, Node>>) -> PyResult<()> {
        let Some(node) = node else { return Ok(()) };
        let core = self.site.core.get();
        let token = core.enter(py, node.as_unbound())?;
        let before = node.get().with_running(py, |running| {
            running.as_mut().and_then(|running| running.token.replace(token))
        });
        drop(before);
        Ok(())
    }
}

/// Nanoseconds on the clock that calls are timed with, for starts that Python code keeps.
#[pyfunction]
pub(crate) fn monotonic_ns() -> u64 {
    use std::sync::LazyLock;
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
