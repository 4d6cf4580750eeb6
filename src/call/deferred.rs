//! The call of a coroutine function or generator function, whose body runs after the call.
//!
//! | module    | concept |
//! |-----------|---------|
//! | this one  | what such a call has, from the call to its end |
//! | `steps`   | what happens where the body begins, is suspended, is resumed and ends |
//! | `methods` | the methods by which the Python wrapper of the body takes these steps |

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

use phanos_core::clock::Start;

use crate::call::arguments::{StoredArgs, VectorcallArgs};
use crate::call::lifecycle::Nesting;
use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::GilValue;
use crate::interp::pool::{Pool, has_at_most_references};
use crate::profiler::plan::Plan;
use crate::tree::current::ContextToken;
use crate::tree::node::Node;

mod methods;
mod steps;

pub(crate) use methods::add_methods;

static POOL: Pool<DeferredCall> = Pool::new();

/// References to a call while its wrapper ends it, at most: a variable of the wrapper, the wrapper's
/// value stack, from which it calls a method, and the one that puts it into the pool. From CPython
/// 3.14 on the value stack borrows the variable's now and then.
const OWN_REFERENCES: isize = 3;

/// One call of a decorated coroutine function or generator function.
///
/// Its node does not refer to it: the tree keeps nodes, and a call's arguments and context lead to
/// objects of users, often to the coroutine itself. A coroutine that is never finished could then
/// not be freed.
#[pyclass(module = "phanos._phanos", frozen)]
#[derive(Default)]
pub(crate) struct DeferredCall {
    /// The decorated function; `None` once the call has ended.
    callable: GilValue<Option<Py<PyAny>>>,
    arguments: StoredArgs,
    /// From the beginning of the body to its end.
    running: GilValue<Option<Running>>,
    /// Empty before the beginning, and while a generator is suspended.
    token: ContextToken,
    /// There is a list once the call is recorded and only asynchronous handlers remain to be
    /// awaited; it is empty as soon as they are.
    dispatches: GilValue<Option<Py<PyList>>>,
}

/// What a call has while its body runs, suspensions included.
struct Running {
    plan: Py<Plan>,
    node: Py<Node>,
    started: Start,
    nesting: Nesting,
}

impl_traverse!(DeferredCall { callable, arguments, running, token, dispatches });
impl_traverse!(Running { plan, node });

impl DeferredCall {
    /// A call of `callable`, a decorated function, that has not begun.
    pub(crate) fn new<'py>(
        callable: &Bound<'py, PyAny>,
        arguments: &VectorcallArgs,
    ) -> PyResult<Bound<'py, Self>> {
        let py = callable.py();
        let packed = arguments.pack_unless_few(py)?;
        let call = match POOL.take(py) {
            Some(call) => call,
            None => Bound::new(py, Self::default())?,
        };
        call.get().callable.set(py, Some(callable.clone().unbind()));
        call.get().arguments.store(py, arguments, packed);
        Ok(call)
    }

    /// Puts an ended call into the pool, if nothing refers to it but what has just run it. Should
    /// something else do so after all, the pool does not give it out again.
    fn recycle(call: Bound<'_, Self>) {
        if has_at_most_references(&call, OWN_REFERENCES) {
            POOL.put(call);
        }
    }

    /// True until the call begins.
    fn is_waiting(&self, py: Python<'_>) -> bool {
        self.callable.is_some(py) && self.token.is_empty(py) && !self.running.is_some(py)
    }

    /// Ends what runs; `None` if nothing does.
    #[inline]
    fn take_running(&self, py: Python<'_>) -> Option<Running> {
        let running = self.running.take(py)?;
        if let Some(dispatches) = self.dispatches.take(py) {
            drop(dispatches.into_bound(py));
        }
        Some(running)
    }

    /// What `look` returns of a call that runs. `look` must not call into Python: `running` is
    /// taken meanwhile.
    fn look<R>(&self, py: Python<'_>, look: impl FnOnce(&Running) -> R) -> Option<R> {
        let running = self.running.take(py)?;
        let seen = look(&running);
        self.running.set(py, Some(running));
        Some(seen)
    }

    fn node<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Node>> {
        self.look(py, |running| running.node.bind(py).clone())
    }

    /// The dispatches that are still to be made, if the call is recorded and waits for them, and
    /// the plan that they come from. None is left in the call.
    fn take_dispatches<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Bound<'py, Plan>, Bound<'py, PyList>)> {
        let plan = self.look(py, |running| running.plan.bind(py).clone())?;
        let dispatches = self.dispatches.take(py)?.into_bound(py);
        self.dispatches.set(py, Some(PyList::empty(py).unbind()));
        Some((plan, dispatches))
    }

    /// Drops what an ended call has, since a user may still refer to the call.
    fn release(&self, py: Python<'_>) {
        if let Some(callable) = self.callable.take(py) {
            drop(callable.into_bound(py));
        }
        self.arguments.release(py);
    }
}

#[pymethods]
impl DeferredCall {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    /// Drops everything: the call can neither begin nor end any more.
    fn __clear__(&self, py: Python<'_>) {
        self.running.set(py, None);
        self.dispatches.set(py, None);
        self.token.release(py);
        self.release(py);
    }
}

impl Drop for DeferredCall {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: a call lives in a Python object, and those are freed with the interpreter lock
        // held. Asking for it again costs 10 ns per call.
        let py = unsafe { Python::assume_attached() };
        self.token.release(py);
        self.release(py);
    }
}
