//! Futures that users await: Rust futures on our runtime that carry the caller's node.
//!
//! On the way in the node is taken from the `ContextVar` and becomes a task-local beside
//! the context itself; Python called from the future runs in that context, so both sides
//! name the same node. Only futures that a user awaits hold Python objects; whatever works
//! in the background does not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3_async_runtimes::generic::{self, ContextExt};
use pyo3_async_runtimes::{TaskLocals, into_future_with_locals};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use phanos_delivery::runtime::{PersistentRuntime, persistent_runtime, shut_down};

use crate::interp::gil_cell::GilCell;
use crate::profiler::core::ProfilerCore;
use crate::tree::node::Node;

tokio::task_local! {
    static LOCALS: TaskLocals;
    /// The profiler and its node that was current where the future was made.
    static CURRENT: Arc<(Py<ProfilerCore>, Py<Node>)>;
}

static RUNTIME: GilCell<PersistentRuntime> = GilCell::new(None);

/// Our runtime, as pyo3-async-runtimes' generic layer wants it.
struct OurRuntime;

struct Failed(JoinError);

impl generic::JoinError for Failed {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

/// A task's end, with the error type that the generic layer wants.
struct Joined(JoinHandle<()>);

impl Future for Joined {
    type Output = Result<(), Failed>;

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(Failed)
    }
}

/// The runtime's handle: from within it without the interpreter, else through the cell.
fn handle() -> Handle {
    Handle::try_current().unwrap_or_else(|_| {
        Python::attach(|py| {
            RUNTIME.with(py, persistent_runtime).expect("started before any future is made")
        })
    })
}

impl generic::Runtime for OurRuntime {
    type JoinError = Failed;
    type JoinHandle = Joined;

    fn spawn<F>(future: F) -> Joined
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Joined(handle().spawn(future))
    }

    fn spawn_blocking<F>(work: F) -> Joined
    where
        F: FnOnce() + Send + 'static,
    {
        Joined(handle().spawn_blocking(work))
    }
}

impl ContextExt for OurRuntime {
    fn scope<F, R>(locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(locals, future))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(Clone::clone).ok()
    }
}

/// Makes what `body` returns an awaitable of the running loop. `body` itself still runs in
/// the caller, attached; it gets the caller's task-locals.
fn future_into_py<'py, F, T>(
    core: &Bound<'py, ProfilerCore>,
    body: impl FnOnce(TaskLocals) -> PyResult<F>,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = PyResult<T>> + Send + 'static,
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    let py = core.py();
    RUNTIME.with(py, persistent_runtime).map_err(|error| {
        PyOSError::new_err(format!("cannot start the background thread of phanos: {error}"))
    })?;
    let locals = TaskLocals::with_running_loop(py)?.copy_context(py)?;
    let current = Arc::new((core.clone().unbind(), core.get().tree.get().current(py)?.unbind()));
    let future = CURRENT.scope(current, body(locals.clone())?);
    generic::future_into_py_with_locals::<OurRuntime, _, _>(py, locals, future)
}

/// An awaitable that awaits `coroutine` on the running loop, for at most `timeout_s`
/// seconds: True if it ended by then. It goes on if it did not.
#[pyfunction]
pub(crate) fn flush_future<'py>(
    core: &Bound<'py, ProfilerCore>,
    coroutine: Bound<'py, PyAny>,
    timeout_s: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let timeout = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
    future_into_py(core, move |locals| {
        let ended = into_future_with_locals(&locals, coroutine)?;
        Ok(async move {
            match tokio::time::timeout(timeout, ended).await {
                Ok(ended) => ended.map(|_| true),
                Err(_) => Ok(false),
            }
        })
    })
}

/// Ends the runtime, waiting up to `timeout_s` seconds for what it is doing.
#[pyfunction]
pub(crate) fn end_runtime(py: Python<'_>, timeout_s: f64) {
    let runtime = RUNTIME.replace(py, None);
    let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::ZERO);
    py.detach(|| shut_down(runtime, patience));
}

/// The current node, as Rust knows it: in a future of ours the one it carries, else that of
/// the `ContextVar`.
#[pyfunction]
pub(crate) fn current_node(py: Python<'_>, core: &Bound<'_, ProfilerCore>) -> PyResult<Py<Node>> {
    match carried_node(py, core) {
        Some(node) => Ok(node),
        None => core.get().tree.get().current(py).map(Bound::unbind),
    }
}

fn carried_node(py: Python<'_>, core: &Bound<'_, ProfilerCore>) -> Option<Py<Node>> {
    CURRENT.try_with(|current| current.0.is(core).then(|| current.1.clone_ref(py))).ok().flatten()
}

/// An awaitable of what `function` returns, called from a future of ours: on a thread of
/// the runtime, in the caller's context.
///
/// The future's node becomes the context's on the way in and is put back on the way out;
/// in between the context has the say, since `function` may call profiled functions.
#[pyfunction]
pub(crate) fn call_in_future<'py>(
    core: &Bound<'py, ProfilerCore>,
    function: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (owner, function) = (core.clone().unbind(), function.unbind());
    future_into_py(core, move |locals| {
        Ok(async move {
            let carried = CURRENT.with(Arc::clone);
            // Waiting for the interpreter would stall whatever else runs here.
            let called = tokio::task::spawn_blocking(move || {
                Python::attach(|py| {
                    let (context, core) = (locals.context(py), owner.bind(py));
                    let set =
                        core.getattr(intern!(py, "curr_node"))?.getattr(intern!(py, "set"))?;
                    let run = context.getattr(intern!(py, "run"))?;
                    run.call1((&set, &carried.1))?;
                    let result = run.call1((function,));
                    run.call1((&set, &carried.1))?;
                    result.map(Bound::unbind)
                })
            });
            called.await.map_err(|error| PyRuntimeError::new_err(error.to_string()))?
        })
    })
}
