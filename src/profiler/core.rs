//! The native half of a `Profiler`: its tree of calls, its plan, the hand-overs under way.

use std::ffi::CString;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::clock;
use phanos_core::path_cache::Naming;

use crate::interp::collector;
use crate::interp::execution_id;
use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::{GilCell, GilValue};
use crate::metric::base::Metric;
use crate::profiler::handover::{self, Outcome};
use crate::profiler::plan::{MetricEntry, Plan};
use crate::profiler::report;
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

#[pyclass(module = "phanos._phanos", frozen, weakref)]
pub(crate) struct ProfilerCore {
    pub(crate) tree: Py<CallTree>,
    plan: GilCell<Option<Py<Plan>>>,
    /// Beside the plan and not in it, since every call reads it.
    enabled: GilValue<bool>,
    /// A handler may call profiled functions, whose records can reach the flush threshold: that
    /// must not hand over once more within this hand-over.
    under_way: GilCell<Vec<HandOver>>,
}

/// A hand-over under way: its handlers make the calls of this thread below this node.
#[derive(Clone, Copy, PartialEq, Eq)]
struct HandOver {
    thread: usize,
    /// The address of the node that is current during the hand-over.
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

    /// True if a handler makes the call of `node` during a hand-over.
    ///
    /// The thread alone does not tell: greenlets share one, and each has its own chain of nodes.
    pub(crate) fn is_handing_over(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        let thread = execution_id::current_thread();
        let nodes: Vec<usize> = self.under_way.with(py, |under_way| {
            let of_thread = under_way.iter().filter(|hand_over| hand_over.thread == thread);
            of_thread.map(|hand_over| hand_over.node).collect()
        });
        let mut next = (!nodes.is_empty()).then(|| node.clone().unbind());
        while let Some(node) = next {
            if nodes.contains(&node.as_ptr().addr()) {
                return true;
            }
            next = node.get().caller(py);
        }
        false
    }

    /// Runs `body` as a hand-over during which `node` is current.
    pub(crate) fn handing_over<R>(
        &self,
        py: Python<'_>,
        node: &Bound<'_, Node>,
        body: impl FnOnce() -> R,
    ) -> R {
        let this = HandOver { thread: execution_id::current_thread(), node: node.as_ptr().addr() };
        self.under_way.with(py, |under_way| under_way.push(this));
        let result = body();
        self.under_way.with(py, |under_way| {
            // Not always the last one: other threads begin and end hand-overs meanwhile.
            if let Some(position) = under_way.iter().rposition(|hand_over| *hand_over == this) {
                under_way.swap_remove(position);
            }
        });
        result
    }
}

/// The dispatches to asynchronous handlers that `outcome` leaves to the caller.
///
/// Errors: what a handler raised that is not an `Exception`; the dispatches are queued then.
fn remaining_dispatches<'py>(
    py: Python<'py>,
    plan: &Plan,
    outcome: Outcome<'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(error) = outcome.to_raise else {
        return Ok(outcome.dispatches.map(Bound::into_any));
    };
    if let Some(dispatches) = outcome.dispatches {
        report::queue_dispatches(py, plan, &dispatches)?;
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
            under_way: GilCell::new(Vec::new()),
        })
    }

    /// The tree that the metrics of this profiler belong to.
    #[getter]
    fn call_tree(&self, py: Python<'_>) -> Py<CallTree> {
        self.tree.clone_ref(py)
    }

    /// The context variable of the current node.
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
    fn install(&self, py: Python<'_>, plan: Py<Plan>, enabled: bool) -> PyResult<()> {
        if enabled {
            clock::prepare();
            collector::watch(py)?;
        }
        let before = self.plan.replace(py, Some(plan));
        self.enabled.set(py, enabled);
        drop(before);
        Ok(())
    }

    /// Makes paths in another way from now on.
    fn set_naming(
        &self,
        py: Python<'_>,
        qualified: bool,
        by_class: bool,
        folds: bool,
        max_depth: u32,
        max_paths: usize,
    ) {
        let naming = Naming { qualified, by_class, folds, max_depth, max_paths };
        self.tree.get().set_naming(py, naming);
    }

    /// How many paths there are, and how often a path was not made because of the limit.
    fn path_counts(&self, py: Python<'_>) -> (usize, u64) {
        self.tree.get().paths.with(py, |paths| paths.counts())
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

    /// Makes this the profiler of metrics that were added to none.
    fn make_default(&self, py: Python<'_>) {
        CallTree::make_default(&self.tree, py);
    }

    #[pyo3(name = "current")]
    fn get_current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        self.tree.get().current(py)
    }

    /// True if the call of `node` has no live profiled caller.
    fn is_top(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        self.tree.get().is_top(py, node)
    }

    /// Hands waiting records to the handlers of the plan in force. Returns the dispatches to
    /// asynchronous handlers, which the caller has to make: `[(handler, records, name), ...]`.
    fn hand_over<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let Some(plan) = slf.get().plan(py) else {
            return Ok(None);
        };
        let plan = plan.get();
        let node = slf.get().tree.get().current(py)?;
        let outcome = handover::hand_over(py, slf.get(), plan, &plan.metrics, &node);
        remaining_dispatches(py, plan, outcome)
    }

    /// The same for the records of one metric, which is no longer in the plan; `overridden`
    /// says whether the user overrode how they are made or cleaned up.
    fn hand_over_rest<'py>(
        slf: &Bound<'py, Self>,
        metric: Bound<'py, Metric>,
        overridden: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let Some(plan) = slf.get().plan(py) else {
            return Ok(None);
        };
        let plan = plan.get();
        let node = slf.get().tree.get().current(py)?;
        let rest = [MetricEntry::new(metric.into_any(), overridden)];
        let outcome = handover::hand_over(py, slf.get(), plan, &rest, &node);
        remaining_dispatches(py, plan, outcome)
    }

    /// In a forked child, forgets the hand-overs of threads that are gone.
    fn forget_inherited(&self, py: Python<'_>) {
        let thread = execution_id::current_thread();
        self.under_way
            .with(py, |under_way| under_way.retain(|hand_over| hand_over.thread == thread));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.enabled.set(py, false);
        drop(self.plan.replace(py, None));
    }
}
