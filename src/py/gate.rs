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
use super::raised::swallow;
use super::site::Site;

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

    /// What takes the steps of the call, if one of them is the user's own.
    fn own_steps<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.site.core.get().plan(py) {
            Some(plan) if plan.get().overridden => {
                let profiler = plan.get().profiler.bind(py).clone();
                profiler.getattr(intern!(py, "profile_ext")).map(Some)
            }
            _ => Ok(None),
        }
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
            *running = Some(Running { plan, token: Some(token), started, began_as_root, packed });
        });
        Ok(Some(node))
    }

    /// Ends a call that returned `result`, or that raised (`failed`; called while the
    /// exception is handled).
    ///
    /// Returns the deliveries that asynchronous handlers have to make, if any: the node is
    /// then still current, until `close`.
    #[pyo3(signature = (node, result, failed, /))]
    fn finish<'py>(
        &self,
        py: Python<'py>,
        node: &Bound<'py, Node>,
        result: Option<Bound<'py, PyAny>>,
        failed: bool,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let Some(running) = node.get().with_running(py, Option::take) else {
            return Ok(None);
        };
        let elapsed = running.started.elapsed();
        let plan = running.plan.clone_ref(py);
        let plan = plan.get();
        let Running { plan: kept, token, started, began_as_root, packed } = running;
        let pack = || Ok((packed.0.bind(py).clone(), packed.1.bind(py).clone()));
        let call = Call {
            node: node.clone().unbind(),
            token: token.unwrap_or_else(|| py.None()),
            began_as_root,
        };
        let ending = Ending { elapsed, failed, result: result.as_ref() };
        let outcome = call::finish(py, &self.site.core, plan, &call, &ending, pack);
        let outcome = outcome.map_or_else(Outcome::default, |outcome| *outcome);
        match (outcome.interrupted, outcome.deliveries) {
            (None, Some(deliveries)) => {
                let running =
                    Running { plan: kept, token: Some(call.token), started, began_as_root, packed };
                node.get().with_running(py, |state| *state = Some(running));
                Ok(Some(deliveries))
            }
            (interrupted, deliveries) => {
                if let Some(deliveries) = deliveries {
                    swallow(py, call::queue(py, plan, &deliveries))?;
                }
                call::close(py, self.site.core.get(), &call);
                // Known to the wrapper that calls us, by a variable and an argument.
                Node::recycle(py, call.node, 3);
                interrupted.map_or(Ok(None), Err)
            }
        }
    }

    /// Takes the node of a finished call away, after its deliveries.
    #[pyo3(signature = (node, /))]
    fn close(&self, py: Python<'_>, node: &Bound<'_, Node>) {
        if let Some(running) = node.get().with_running(py, Option::take) {
            let call = Call {
                node: node.clone().unbind(),
                token: running.token.unwrap_or_else(|| py.None()),
                began_as_root: running.began_as_root,
            };
            call::close(py, self.site.core.get(), &call);
        }
    }

    /// An awaitable that makes the deliveries.
    #[pyo3(signature = (node, deliveries, /))]
    #[allow(clippy::unused_self)] // Beside its siblings.
    fn deliver<'py>(
        &self,
        py: Python<'py>,
        node: &Bound<'py, Node>,
        deliveries: Bound<'py, PyList>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let plan = node
            .get()
            .with_running(py, |running| running.as_ref().map(|running| running.plan.clone_ref(py)));
        plan.map(|plan| {
            plan.get().profiler.bind(py).call_method1(intern!(py, "_deliver"), (deliveries,))
        })
        .transpose()
    }

    /// Ends a call where nothing can be awaited: deliveries are queued.
    #[pyo3(signature = (node, result, failed, /))]
    fn end<'py>(
        &self,
        py: Python<'py>,
        node: &Bound<'py, Node>,
        result: Option<Bound<'py, PyAny>>,
        failed: bool,
    ) -> PyResult<()> {
        let deliveries = self.finish(py, node, result, failed)?;
        let Some(deliveries) = deliveries else {
            return Ok(());
        };
        let plan = node
            .get()
            .with_running(py, |running| running.as_ref().map(|running| running.plan.clone_ref(py)));
        let queued = plan.map_or(Ok(()), |plan| call::queue(py, plan.get(), &deliveries));
        self.close(py, node);
        swallow(py, queued).map(drop)
    }

    /// At a `yield`: what was current at the last resumption is current again.
    #[pyo3(signature = (node, /))]
    fn suspend(&self, py: Python<'_>, node: &Bound<'_, Node>) {
        let token =
            node.get().with_running(py, |running| running.as_mut().and_then(|r| r.token.take()));
        if let Some(token) = token {
            self.site.core.get().leave(py, &node.clone().unbind(), &token);
        }
    }

    /// After a `yield`: the node is current again while the body runs.
    #[pyo3(signature = (node, /))]
    fn resume(&self, py: Python<'_>, node: &Bound<'_, Node>) -> PyResult<()> {
        let core = self.site.core.get();
        let token = core.enter(py, &node.clone().unbind())?;
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
