//! Awaitables for coroutines of users: Rust futures, run by pyo3-async-runtimes on a runtime of
//! ours.
//!
//! Such a future carries the event loop, the context and the current node of the coroutine that
//! awaits it, as task-locals. It is polled with the interpreter lock held, so Python objects in
//! it can be dropped at any time; hence its runtime is not that of the deliveries, which never
//! wait for the interpreter.

use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use phanos_delivery::fork::ProcessLocal;
use phanos_delivery::runtime::{PersistentRuntime, persistent_runtime, shut_down};
use phanos_delivery::waking::Quiet;

use crate::interp::gil_cell::GilCell;
use crate::interp::once::intern;
use crate::interp::user_code;
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

static RUNTIME: GilCell<PersistentRuntime> = GilCell::new(None);

/// Set at the end of the interpreter: nothing is awaited from then on, and what is pending is
/// neither polled nor dropped. Both may run code of users, which the end would interrupt.
static ENDED: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    static LOCALS: TaskLocals;
    static CURRENT_NODE: Py<Node>;
}

/// An awaitable for the running asyncio loop, of the result of `future`. Cancelling it drops the
/// future.
///
/// `tree` says whose current node the future carries; by default that of the default profiler.
///
/// Errors: `RuntimeError` where no asyncio loop runs, `OSError` if the system refuses a thread.
pub(crate) fn future_into_py<'py, F, T>(
    py: Python<'py>,
    tree: Option<&CallTree>,
    future: impl FnOnce(&TaskLocals) -> PyResult<F>,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = PyResult<T>> + Send + 'static,
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    start_runtime(py)?;
    let event_loop = pyo3_async_runtimes::get_running_loop(py)?.unbind();
    let event_loop = Bound::new(py, OpenLoop { event_loop })?.into_any();
    let locals = TaskLocals::new(event_loop).copy_context(py)?;
    let future = future(&locals)?;
    let default = if tree.is_none() { CallTree::default_tree(py) } else { None };
    let node = match tree.or(default.as_ref().map(Py::get)) {
        Some(tree) => tree.current(py)?,
        None => Node::new_root(py)?,
    };
    let future = CURRENT_NODE.scope(node.unbind(), without_panic(future));
    generic::future_into_py_with_locals::<AttachedRuntime, _, _>(py, locals, future)
}

/// `future`, with a panic in it as a `RuntimeError` that names the profiled call that waits.
async fn without_panic<T>(future: impl Future<Output = PyResult<T>>) -> PyResult<T> {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|_| {
        let path = Python::attach(|py| carried_node(py).map(|node| node.get().path(py).text()));
        let path = path.filter(|path| !path.is_empty()).unwrap_or_else(|| "a caller".into());
        let text = format!("phanos itself failed while {path} waited: please report it");
        Err(PyRuntimeError::new_err(text))
    })
}

/// The current node of the coroutine that awaits the running future; `None` outside of futures.
fn carried_node(py: Python<'_>) -> Option<Py<Node>> {
    CURRENT_NODE.try_with(|node| node.clone_ref(py)).ok()
}

/// Ends the runtime of awaitables, waiting up to `timeout_s` seconds for what it is doing.
#[pyfunction]
pub(crate) fn end_runtime(py: Python<'_>, timeout_s: f64) {
    ENDED.store(true, Ordering::Relaxed);
    let runtime = RUNTIME.replace(py, None);
    let timeout = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::ZERO);
    py.detach(|| shut_down(runtime, timeout));
}

fn running(runtime: &PersistentRuntime) -> Option<Handle> {
    let runtime = runtime.as_ref().and_then(ProcessLocal::get);
    runtime.map(|runtime| runtime.handle().clone())
}

fn start_runtime(py: Python<'_>) -> PyResult<()> {
    if ENDED.load(Ordering::Relaxed) {
        return Err(PyOSError::new_err("the interpreter is ending"));
    }
    RUNTIME.with(py, persistent_runtime).map(drop).map_err(|error: io::Error| {
        PyOSError::new_err(format!("cannot start the background thread of phanos: {error}"))
    })
}

/// The runtime as pyo3-async-runtimes wants it.
struct AttachedRuntime;

impl generic::Runtime for AttachedRuntime {
    type JoinError = Failed;
    type JoinHandle = Joined;

    fn spawn<F>(future: F) -> Joined
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let future = Attached(ManuallyDrop::new(Box::pin(future)));
        let runtime = Python::attach(|py| RUNTIME.with(py, |runtime| running(runtime)));
        // At the interpreter's end the cell is empty, and only tasks of the runtime come here.
        Joined::Task(runtime.unwrap_or_else(Handle::current).spawn(Quiet::new(future)))
    }

    /// Only ever short: it tells the event loop the result, for which the lock is held already.
    fn spawn_blocking<F>(work: F) -> Joined
    where
        F: FnOnce() + Send + 'static,
    {
        work();
        Joined::Done
    }
}

impl ContextExt for AttachedRuntime {
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

/// Polls and drops a future with the interpreter lock held. Once the interpreter is ending it does
/// neither: the lock cannot be had any more.
struct Attached<F>(ManuallyDrop<Pin<Box<F>>>);

impl<F: Future<Output = ()>> Future for Attached<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let poll = |_: Python<'_>| {
            if ENDED.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            self.0.as_mut().poll(context)
        };
        Python::try_attach(poll).unwrap_or(Poll::Pending)
    }
}

impl<F> Drop for Attached<F> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        Python::try_attach(|_| {
            if !ENDED.load(Ordering::Relaxed) {
                // SAFETY: dropped once, here, and not used afterwards.
                unsafe { ManuallyDrop::drop(&mut self.0) };
            }
        });
    }
}

/// The end of a spawned task.
enum Joined {
    Task(JoinHandle<()>),
    Done,
}

impl Future for Joined {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Task(task) => Pin::new(task).poll(context).map_err(Failed),
            Self::Done => Poll::Ready(Ok(())),
        }
    }
}

struct Failed(JoinError);

impl generic::JoinError for Failed {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

/// An asyncio loop that may be closed before a future is done: then nothing awaits the result any
/// more, and pyo3-async-runtimes would print the `RuntimeError` of the closed loop.
#[pyclass(frozen)]
struct OpenLoop {
    event_loop: Py<PyAny>,
}

#[pymethods]
impl OpenLoop {
    fn create_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        user_code::call_method(self.event_loop.bind(py), intern!(py, "create_future"), &[])
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn call_soon_threadsafe<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = args.py();
        let event_loop = self.event_loop.bind(py);
        let method = event_loop.getattr(intern!(py, "call_soon_threadsafe"))?;
        match user_code::call_packed(&method, args, kwargs) {
            Ok(handle) => Ok(Some(handle)),
            Err(error) => {
                let closed = event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()?;
                if closed { Ok(None) } else { Err(error) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `asyncio.run` makes of an awaitable, whose future is `body`, of a coroutine in which
    /// a node of this name is current.
    fn run<T>(name: &str, body: fn() -> PyResult<T>) -> PyResult<Py<PyAny>>
    where
        T: for<'a> IntoPyObject<'a> + Send + 'static,
    {
        Python::initialize();
        Python::attach(|py| {
            let tree = Bound::new(py, CallTree::new(c"curr_node", &Node::new_root(py)?)?)?;
            let method = py.eval(c"lambda: None", None, None)?;
            method.setattr("__name__", name)?;
            let node = py.get_type::<Node>().call1((method,))?.cast_into::<Node>()?;
            tree.get().set_current(&node)?;
            let tree = tree.unbind();
            let start = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                let awaitable = future_into_py(args.py(), Some(tree.get()), move |_| {
                    Ok(async move {
                        tokio::task::yield_now().await;
                        body()
                    })
                })?;
                Ok::<_, PyErr>(awaitable.unbind())
            };
            let start = pyo3::types::PyCFunction::new_closure(py, None, None, start)?;
            let names = PyDict::new(py);
            names.set_item("start", start)?;
            py.run(c"async def main():\n    return await start()", Some(&names), None)?;
            let main = names.get_item("main")?.expect("defined").call0()?;
            Ok(py.import("asyncio")?.call_method1("run", (main,))?.unbind())
        })
    }

    #[test]
    fn a_future_carries_the_current_node_of_its_coroutine() {
        let path =
            || Python::attach(|py| Ok(carried_node(py).map(|node| node.get().path(py).text())));
        let seen = run("query", path).expect("no exception");
        Python::attach(|py| assert_eq!(seen.extract::<String>(py).expect("a path"), "query"));
        assert_eq!(path().expect("no exception"), None);
    }

    #[test]
    fn a_panic_becomes_an_error_that_names_the_call() {
        let error = run("query", || -> PyResult<()> { panic!("told to") }).expect_err("it panics");
        Python::attach(|py| {
            assert!(error.is_instance_of::<PyRuntimeError>(py), "{error}");
            assert!(error.to_string().contains("while query waited"), "{error}");
        });
    }
}
