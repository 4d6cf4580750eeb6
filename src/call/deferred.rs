//! A call of a coroutine function or generator, which runs after it: what its wrapper knows.

use pyo3::prelude::*;
use pyo3::types::PyList;

use phanos_core::clock::Start;

use crate::call::arguments::{Lent, PackedArgs, StoredArgs, VectorcallArgs};
use crate::call::lifecycle::Level;
use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilValue;
use crate::interp::pool::{Pool, has_at_most_references};
use crate::interp::user_code;
use crate::profiler::plan::Plan;
use crate::tree::current::ContextToken;
use crate::tree::node::Node;

mod quick;
mod steps;

pub(crate) use quick::complete;

static POOL: Pool<DeferredCall> = Pool::new();

/// One call of a decorated coroutine function or generator, from the call to its end.
///
/// Its node does not keep it: the tree keeps nodes, and arguments and contexts lead to what
/// users have, often to the coroutine itself. One that is never finished could not be freed.
#[pyclass(module = "phanos._phanos", frozen)]
#[derive(Default)]
pub(crate) struct DeferredCall {
    /// The decorated function.
    callable: GilValue<Option<Py<PyAny>>>,
    /// Hooks ask for them.
    arguments: StoredArgs,
    /// From the beginning to the end, as the next four.
    node: GilValue<Option<Py<Node>>>,
    plan: GilValue<Option<Py<Plan>>>,
    started: GilValue<Start>,
    level: GilValue<Level>,
    /// Empty before the beginning, and while a generator is suspended.
    token: ContextToken,
    /// Given once the call is recorded and only asynchronous handlers remain to be awaited;
    /// empty as soon as they are.
    deliveries: GilValue<Option<Py<PyList>>>,
}

impl_traverse!(DeferredCall { callable, arguments, node, plan, token, deliveries });

/// What a call has that has begun and not ended.
struct Running<'py> {
    plan: Bound<'py, Plan>,
    node: Bound<'py, Node>,
    started: Start,
    level: Level,
}

impl DeferredCall {
    /// A call of `callable`, a decorated function, that waits to begin.
    pub(crate) fn waiting<'py>(
        callable: &Bound<'py, PyAny>,
        passed: &VectorcallArgs,
    ) -> PyResult<Bound<'py, Self>> {
        let py = callable.py();
        let packed = passed.packed_unless_few(py)?;
        let call = match POOL.take(py) {
            Some(call) => call,
            None => Bound::new(py, Self::default())?,
        };
        call.get().callable.set(py, Some(callable.clone().unbind()));
        call.get().arguments.keep(py, passed, packed);
        Ok(call)
    }

    /// Keeps an ended call for the next one, unless somebody knows it beyond the `references`
    /// of those who ran it (this one included) and let go now.
    fn recycle(call: Bound<'_, Self>, references: isize) {
        if has_at_most_references(&call, references) {
            POOL.put(call);
        }
    }

    /// True until the call begins.
    fn is_waiting(&self, py: Python<'_>) -> bool {
        self.arguments.is_kept(py) && !self.node.is_some(py) && self.token.is_empty(py)
    }

    fn run(&self, py: Python<'_>, running: Running<'_>) {
        let Running { plan, node, started, level } = running;
        self.plan.set(py, Some(plan.unbind()));
        self.node.set(py, Some(node.unbind()));
        self.started.set(py, started);
        self.level.set(py, level);
    }

    /// Ends what runs; `None` if nothing does.
    fn end<'py>(&self, py: Python<'py>) -> Option<Running<'py>> {
        let node = self.node.take(py)?.into_bound(py);
        let plan = self.plan.take(py)?.into_bound(py);
        if let Some(deliveries) = self.deliveries.take(py) {
            drop(deliveries.into_bound(py));
        }
        Some(Running { plan, node, started: self.started.get(py), level: self.level.get(py) })
    }

    /// Keeps what asynchronous handlers have to deliver before the call ends.
    fn await_deliveries(&self, deliveries: Bound<'_, PyList>) {
        self.deliveries.set(deliveries.py(), Some(deliveries.unbind()));
    }

    fn awaits_deliveries(&self, py: Python<'_>) -> bool {
        self.deliveries.is_some(py)
    }

    /// The deliveries that wait, which then wait no longer, and the plan they were made by.
    fn take_deliveries<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Bound<'py, Plan>, Bound<'py, PyList>)> {
        let plan = self.plan.bound(py)?;
        let deliveries = self.deliveries.take(py)?.into_bound(py);
        self.deliveries.set(py, Some(PyList::empty(py).unbind()));
        Some((plan, deliveries))
    }

    /// The arguments; none once the call has ended.
    fn copy_arguments(&self, py: Python<'_>, lent: &mut Lent) {
        self.arguments.lend(py, lent);
    }

    /// The same as hooks get them.
    fn packed_arguments<'py>(&self, py: Python<'py>) -> PyResult<PackedArgs<'py>> {
        let mut lent = Lent::default();
        self.copy_arguments(py, &mut lent);
        lent.pack(py)
    }

    /// Lets go of what an ended call has: it may be known to somebody.
    fn let_go(&self, py: Python<'_>) {
        if let Some(callable) = self.callable.take(py) {
            user_code::release(callable.into_bound(py));
        }
        self.arguments.release(py);
    }

    /// Lets go of all of it: nothing can begin or end any more.
    fn clear(&self, py: Python<'_>) {
        self.node.set(py, None);
        self.plan.set(py, None);
        self.deliveries.set(py, None);
        self.token.release(py);
        self.let_go(py);
    }
}

impl Drop for DeferredCall {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: lives in a Python object, and those are freed with the interpreter lock
        // held. Asking for it again costs 10 ns per call.
        let py = unsafe { Python::assume_attached() };
        self.token.release(py);
        self.let_go(py);
    }
}
