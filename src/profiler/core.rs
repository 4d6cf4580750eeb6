//! The native half of a `Profiler`: its tree of calls, its plan, hand-overs under way.

use std::ffi::CString;
use std::rc::Rc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::clock;
use phanos_core::path::Path;

use crate::interp::execution_id;
use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::{GilCell, GilValue};
use crate::metric::base::Metric;
use crate::profiler::function_info::FunctionInfo;
use crate::profiler::handover::{self, Outcome};
use crate::profiler::plan::{MetricEntry, Plan};
use crate::profiler::report;
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

#[pyclass(module = "phanos._phanos", frozen, weakref)]
pub(crate) struct ProfilerCore {
    pub(crate) tree: Py<CallTree>,
    plan: GilCell<Option<Py<Plan>>>,
    /// Read on every call, so apart from the plan.
    enabled: GilValue<bool>,
    /// Hand-overs under way; a handler that itself calls profiled functions does not start
    /// another one because many records wait.
    handing_over: GilCell<Vec<HandOver>>,
}

/// A hand-over under way: calls of this thread below this node are made by its handlers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct HandOver {
    thread: usize,
    /// Address of the node that is current meanwhile.
    node: usize,
}

impl_traverse!(ProfilerCore { tree, plan });

impl ProfilerCore {
    pub(crate) fn enabled(&self, py: Python<'_>) -> bool {
        self.enabled.get(py)
    }

    pub(crate) fn plan<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Plan>> {
        self.plan.bound(py)
    }

    /// True if the call of `node` is made by a handler that is served just now.
    ///
    /// Threads alone do not tell: greenlets share one. Each has its own line of nodes.
    pub(crate) fn is_handing_over(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        let thread = execution_id::current_thread();
        let here: Vec<usize> = self.handing_over.with(py, |under_way| {
            under_way.iter().filter(|one| one.thread == thread).map(|one| one.node).collect()
        });
        let mut next = (!here.is_empty()).then(|| node.clone().unbind());
        while let Some(node) = next {
            if here.contains(&node.as_ptr().addr()) {
                return true;
            }
            next = node.get().caller(py);
        }
        false
    }

    /// Runs `body` as a hand-over, with `node` being current.
    pub(crate) fn handing_over<R>(
        &self,
        py: Python<'_>,
        node: &Bound<'_, Node>,
        body: impl FnOnce() -> R,
    ) -> R {
        let this = HandOver { thread: execution_id::current_thread(), node: node.as_ptr().addr() };
        self.handing_over.with(py, |under_way| under_way.push(this));
        let result = body();
        self.handing_over.with(py, |under_way| {
            // Not always the last: others begin and end meanwhile.
            if let Some(position) = under_way.iter().rposition(|one| *one == this) {
                under_way.swap_remove(position);
            }
        });
        result
    }

    /// The path of a call of `function_info` under `caller`.
    pub(crate) fn path(&self, py: Python<'_>, info: &FunctionInfo, caller: &Rc<Path>) -> Rc<Path> {
        let paths = &self.tree.get().paths;
        if caller.is_empty() {
            info.root_path(py, paths)
        } else {
            info.path_under(py, caller, paths)
        }
    }
}

/// Deliveries that asynchronous handlers still have to make.
///
/// Errors: what a handler raised that is not an `Exception`; the deliveries are queued then.
fn left_to_deliver<'py>(
    py: Python<'py>,
    plan: &Plan,
    outcome: Outcome<'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(error) = outcome.interrupted else {
        return Ok(outcome.deliveries.map(Bound::into_any));
    };
    if let Some(deliveries) = outcome.deliveries {
        report::queue(py, plan, &deliveries)?;
    }
    Err(error)
}

#[pymethods]
impl ProfilerCore {
    #[new]
    fn new(py: Python<'_>, root: Py<Node>, name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = CString::new(name.to_string())?;
        let tree = Py::new(py, CallTree::new(&name, root.bind(py))?)?;
        Ok(Self {
            tree,
            plan: GilCell::new(None),
            enabled: GilValue::new(false),
            handing_over: GilCell::new(Vec::new()),
        })
    }

    /// What metrics of this profiler belong to.
    #[getter]
    fn call_tree(&self, py: Python<'_>) -> Py<CallTree> {
        self.tree.clone_ref(py)
    }

    #[getter]
    fn curr_node(&self, py: Python<'_>) -> Py<PyAny> {
        self.tree.get().variable().clone_ref(py)
    }

    /// The node under which root calls hang.
    #[setter]
    fn set_root(&self, py: Python<'_>, root: Py<Node>) {
        self.tree.get().set_root(py, root);
    }

    /// Puts a new configuration in force; `enabled` says whether calls are recorded.
    fn install(&self, py: Python<'_>, plan: Py<Plan>, enabled: bool) {
        if enabled {
            clock::prepare();
        }
        let before = self.plan.replace(py, Some(plan));
        self.enabled.set(py, enabled);
        drop(before);
    }

    #[getter(enabled)]
    fn get_enabled(&self, py: Python<'_>) -> bool {
        self.enabled(py)
    }

    /// Records waiting in the metrics of this profiler.
    #[getter]
    fn waiting(&self, py: Python<'_>) -> usize {
        self.tree.get().waiting(py)
    }

    /// Makes this the profiler that metrics without one use.
    fn make_default(&self, py: Python<'_>) {
        CallTree::make_default(&self.tree, py);
    }

    #[pyo3(name = "current")]
    fn get_current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        self.tree.get().current(py)
    }

    /// True if `node` is a call with no live profiled call above it.
    fn is_top(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        self.tree.get().is_top(py, node)
    }

    /// Hands waiting records to the handlers of the plan in force. Returns deliveries that
    /// asynchronous handlers still have to make, as `[(handler, records, name), ...]`.
    fn hand_over<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let Some(plan) = slf.get().plan(py) else {
            return Ok(None);
        };
        let plan = plan.get();
        let node = slf.get().tree.get().current(py)?;
        let outcome = handover::hand_over(py, slf.get(), plan, &plan.metrics, &node);
        left_to_deliver(py, plan, outcome)
    }

    /// The same for the records of one metric, which is no longer in the plan; `overridden`
    /// says whether their conversion is the user's own.
    fn hand_over_rest<'py>(
        slf: &Bound<'py, Self>,
        metric: Py<Metric>,
        overridden: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let Some(plan) = slf.get().plan(py) else {
            return Ok(None);
        };
        let plan = plan.get();
        let node = slf.get().tree.get().current(py)?;
        let rest = [MetricEntry { metric, overridden }];
        let outcome = handover::hand_over(py, slf.get(), plan, &rest, &node);
        left_to_deliver(py, plan, outcome)
    }

    /// In a forked child: hand-overs of threads that are gone.
    fn forget_inherited(&self, py: Python<'_>) {
        let thread = execution_id::current_thread();
        self.handing_over.with(py, |under_way| under_way.retain(|one| one.thread == thread));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.enabled.set(py, false);
        drop(self.plan.replace(py, None));
    }
}
