//! The native half of a `Profiler`: current node, plan, count of waiting records.

#![allow(unsafe_code)]

use std::rc::Rc;

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::clock;
use phanos_core::path::{Path, PathCache, hash_name};

use crate::call::function::ProfiledFunction;
use crate::call::lifecycle as call;
use crate::interp::entry::known;
use crate::interp::gil_cell::{GilCell, GilValue};
use crate::interp::strand;
use crate::metric::base::Metric;
use crate::profiler::handover::{self, Outcome};
use crate::profiler::plan::{MetricEntry, Plan};
use crate::profiler::site::Site;
use crate::tree::current::{Current, Entered, Here};
use crate::tree::node::Node;
use crate::tree::owner;

/// Paths remembered per profiler: 100,000 distinct ones stay interned, and memory for them
/// stays below 20 MB.
const PATHS: usize = 1 << 17;

/// The default profiler's core, for metrics that were not added to any profiler.
static DEFAULT: GilCell<Option<Py<ProfilerCore>>> = GilCell::new(None);

pub(crate) fn default_core(py: Python<'_>) -> Option<Py<ProfilerCore>> {
    DEFAULT.object(py)
}

#[pyclass(module = "phanos._phanos", frozen, weakref)]
pub(crate) struct ProfilerCore {
    /// `root` where nothing is.
    current: Current,
    root: GilCell<Option<Py<Node>>>,
    plan: GilCell<Option<Py<Plan>>>,
    /// Read on every call, so apart from the plan.
    enabled: GilValue<bool>,
    /// Records waiting in the metrics of this profiler.
    waiting: GilValue<usize>,
    /// Hand-overs under way; a handler that itself calls profiled functions does not start
    /// another one because many records wait.
    handing_over: GilCell<Vec<HandOver>>,
    paths: GilCell<PathCache>,
}

/// A hand-over under way: calls of this thread below this node are made by its handlers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct HandOver {
    thread: usize,
    /// Address of the node that is current meanwhile.
    node: usize,
}

impl ProfilerCore {
    pub(crate) fn enabled(&self, py: Python<'_>) -> bool {
        self.enabled.get(py)
    }

    pub(crate) fn plan<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Plan>> {
        self.plan.bound(py)
    }

    pub(crate) fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        match self.root.bound(py) {
            Some(root) => Ok(root),
            None => Node::new_root(py), // Only after the garbage collector cleared this object.
        }
    }

    /// True if no live call stands above `node`.
    pub(crate) fn is_top(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        self.root.with(py, |root| root.as_ref().is_none_or(|root| node.get().is_top(py, root)))
    }

    pub(crate) fn count(&self, py: Python<'_>, more: usize, less: usize) {
        self.waiting.set(py, (self.waiting.get(py) + more).saturating_sub(less));
    }

    pub(crate) fn waiting(&self, py: Python<'_>) -> usize {
        self.waiting.get(py)
    }

    /// True if the call of `node` is made by a handler that is served just now.
    ///
    /// Threads alone do not tell: greenlets share one. Each has its own line of nodes.
    pub(crate) fn is_handing_over(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        let thread = strand::thread();
        let here: Vec<usize> = self.handing_over.with(py, |under_way| {
            under_way.iter().filter(|one| one.thread == thread).map(|one| one.node).collect()
        });
        let mut next = (!here.is_empty()).then(|| node.clone().unbind());
        while let Some(node) = next {
            if here.contains(&node.as_ptr().addr()) {
                return true;
            }
            next = node.get().above(py);
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
        let this = HandOver { thread: strand::thread(), node: node.as_ptr().addr() };
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

    /// The node that `curr_node.get()` gives here.
    pub(crate) fn current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        self.current_at(self.here(py))
    }

    /// The same for one who makes a node current next.
    pub(crate) fn current_at<'py>(&self, here: Here<'_, 'py>) -> PyResult<Bound<'py, Node>> {
        match here.node()? {
            Some(node) => Ok(node),
            None => self.root(here.py()),
        }
    }

    pub(crate) fn here<'py>(&self, py: Python<'py>) -> Here<'_, 'py> {
        self.current.here(py)
    }

    /// Makes current what was before `node` was entered.
    pub(crate) fn leave(&self, node: &Bound<'_, Node>, entered: &Entered) {
        if !self.current.leave(node, entered) {
            known(node.py(), || self.leave_elsewhere(node));
        }
    }

    /// A coroutine or generator goes on elsewhere than it was started. Only a context copied
    /// meanwhile has the node.
    #[cold]
    fn leave_elsewhere(&self, node: &Bound<'_, Node>) {
        let py = node.py();
        if !self.current(py).is_ok_and(|current| current.is(node)) {
            return;
        }
        let above = node.get().above(py).map(|above| above.into_bound(py));
        if let Some(above) = above.or_else(|| self.root.bound(py))
            && self.current.set(&above).is_err()
        {
            // SAFETY: the interpreter lock is held; without memory for a token there is
            // nothing left to try.
            unsafe { ffi::PyErr_Clear() };
        }
    }

    /// The path of a call of `site` under `above`.
    pub(crate) fn path(&self, py: Python<'_>, site: &Site, above: &Rc<Path>) -> Rc<Path> {
        if above.is_empty() {
            site.root_path(py, &self.paths)
        } else {
            site.path_under(py, above, &self.paths)
        }
    }

    /// The same for a callable that was not decorated.
    fn path_of(
        &self,
        py: Python<'_>,
        callable: &Bound<'_, PyAny>,
        above: &Rc<Path>,
    ) -> PyResult<Rc<Path>> {
        if let Some(site) = ProfiledFunction::site(callable) {
            return Ok(self.path(py, site, above));
        }
        let name = crate::tree::context::call_name(callable)?;
        if above.is_empty() {
            return Ok(owner::resolve(callable, &name, &self.paths).0);
        }
        let hash = hash_name(&name);
        Ok(self.paths.with(py, |paths| paths.child(above, &name.into(), hash)))
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
        call::queue(py, plan, &deliveries)?;
    }
    Err(error)
}

#[pymethods]
impl ProfilerCore {
    #[new]
    fn new(py: Python<'_>, root: Py<Node>, name: &Bound<'_, PyString>) -> PyResult<Self> {
        let name = std::ffi::CString::new(name.to_string())?;
        let current = Current::new(&name, root.bind(py))?;
        Ok(Self {
            current,
            root: GilCell::new(Some(root)),
            plan: GilCell::new(None),
            enabled: GilValue::new(false),
            waiting: GilValue::new(0),
            handing_over: GilCell::new(Vec::new()),
            paths: GilCell::new(PathCache::new(PATHS)),
        })
    }

    /// True if calls put back what was current before them, false if they set it anew, which
    /// takes longer.
    #[getter]
    fn puts_back(&self) -> bool {
        self.current.puts_back()
    }

    #[getter]
    fn curr_node(&self, py: Python<'_>) -> Py<PyAny> {
        self.current.variable().clone_ref(py)
    }

    /// The node under which root calls hang.
    #[setter]
    fn set_root(&self, py: Python<'_>, root: Py<Node>) {
        self.root.set(py, Some(root));
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

    #[getter(waiting)]
    fn get_waiting(&self, py: Python<'_>) -> usize {
        self.waiting(py)
    }

    /// Makes this the core that metrics without a profiler use.
    fn make_default(slf: &Bound<'_, Self>) {
        DEFAULT.set(slf.py(), Some(slf.clone().unbind()));
    }

    #[pyo3(name = "current")]
    fn get_current<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Node>> {
        self.current(py)
    }

    /// A new node for a call of `callable` under the current one, current from now on.
    fn open_node<'py>(&self, callable: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Node>> {
        let py = callable.py();
        let above = self.current(py)?;
        let path = self.path_of(py, callable, &above.get().path(py))?;
        let method =
            ProfiledFunction::site(callable).map_or(callable, |site| site.function.bind(py));
        let node = Node::waiting(py)?;
        Node::begin(&node, path, method, above, || self.root(py))?;
        self.current.set(&node)?;
        Ok(node)
    }

    /// Removes a node from `open_node`; what was current before it is current again.
    fn close_node(&self, py: Python<'_>, node: &Bound<'_, Node>) -> PyResult<()> {
        let above = match node.get().above(py).or_else(|| node.get().parent_of(py)) {
            Some(above) => above.into_bound(py),
            None => self.root(py)?,
        };
        node.get().remove(py);
        self.current.set(&above)?;
        Ok(())
    }

    /// True if `node` is a call with no live profiled call above it.
    #[pyo3(name = "is_top")]
    fn get_is_top(&self, py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        self.is_top(py, node)
    }

    /// True if `node` began with no profiled call above it at all.
    #[staticmethod]
    fn began_as_root(py: Python<'_>, node: &Bound<'_, Node>) -> bool {
        node.get().above(py).is_none_or(|above| above.get().path(py).is_empty())
    }

    /// Hands waiting records to the handlers of the plan in force. Returns deliveries that
    /// asynchronous handlers still have to make, as `[(handler, records, name), ...]`.
    fn hand_over<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let Some(plan) = slf.get().plan(py) else {
            return Ok(None);
        };
        let plan = plan.get();
        let node = slf.get().current(py)?;
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
        let node = slf.get().current(py)?;
        let rest = [MetricEntry { metric, overridden }];
        let outcome = handover::hand_over(py, slf.get(), plan, &rest, &node);
        left_to_deliver(py, plan, outcome)
    }

    /// In a forked child: hand-overs of threads that are gone.
    fn forget_inherited(&self, py: Python<'_>) {
        let thread = strand::thread();
        self.handing_over.with(py, |under_way| under_way.retain(|one| one.thread == thread));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.current.variable())?;
        // SAFETY: the collector runs with the interpreter lock held.
        unsafe {
            self.root.try_with(|root| visit.call(&*root)).unwrap_or(Ok(()))?;
            self.plan.try_with(|plan| visit.call(&*plan)).unwrap_or(Ok(()))
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        self.enabled.set(py, false);
        drop(self.plan.replace(py, None));
        drop(self.root.replace(py, None));
    }
}
