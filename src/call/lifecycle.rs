//! The life of one recorded call: [`begin`], then the function runs, then
//! [`record_and_hand_over`] and [`leave_tree`].

use pyo3::prelude::*;

use phanos_core::number;
use phanos_core::record::Operation;

use crate::call::arguments::PackedArgs;
use crate::interp::entry::registered;
use crate::interp::exceptions::swallow;
use crate::interp::once::{GilOnce, intern};
use crate::interp::panics::{OnPanic, contained, point};
use crate::interp::user_code;
use crate::metric::base::Metric;
use crate::metric::label_check::{check_labels, eq_labels_may_be_replaced, replaced_eq_labels};
use crate::metric::record_labels::RecordLabels;
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::RecordValue;
use crate::profiler::core::ProfilerCore;
use crate::profiler::function_info::FunctionInfo;
use crate::profiler::handover::{self, Outcome};
use crate::profiler::plan::Plan;
use crate::profiler::report::log_failure;
use crate::tree::call_tree::CallTree;
use crate::tree::current::ContextToken;
use crate::tree::node::Node;

/// A call that has begun.
pub(crate) struct Call<'py> {
    pub(crate) node: Bound<'py, Node>,
    pub(crate) nesting: Nesting,
}

/// Whether a call began without a profiled caller, or within one.
///
/// As wide as the fields beside it: a single byte would be written alone and then copied together
/// with its neighbours, for which the processor waits (14 ns of the call of a coroutine).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Nesting {
    #[default]
    Root,
    Nested,
    /// Of a tree that `sample_rate` leaves out, with a plan that records nothing.
    Unsampled,
}

/// How a call ended.
pub(crate) struct Ending<'a, 'py> {
    pub(crate) elapsed_ns: u64,
    /// What the function returned; `None` if it raised.
    pub(crate) result: Option<&'a Bound<'py, PyAny>>,
}

/// Begins a call: puts `node` into the tree, makes it current and runs the hooks before the call.
/// `token`, which is empty, gets what [`leave_tree`] needs; `object` gives the first argument of the
/// call, and `pack` all of them.
///
/// Errors: `MemoryError`, or what a hook raised that is not an `Exception`; the tree is then as it
/// was before, and so it is after a panic.
#[inline]
pub(crate) fn begin<'py>(
    node: &Bound<'py, Node>,
    token: &ContextToken,
    core: &ProfilerCore,
    plan: &Plan,
    info: &FunctionInfo,
    object: impl FnOnce() -> Option<Bound<'py, PyAny>>,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> Result<Nesting, Box<PyErr>> {
    let left = OnPanic::new(|| leave_after_panic(core, node, token));
    let begun = enter_tree_and_run_hooks(node, token, core, plan, info, object, pack);
    left.forget();
    begun
}

#[inline]
fn enter_tree_and_run_hooks<'py>(
    node: &Bound<'py, Node>,
    token: &ContextToken,
    core: &ProfilerCore,
    plan: &Plan,
    info: &FunctionInfo,
    object: impl FnOnce() -> Option<Bound<'py, PyAny>>,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> Result<Nesting, Box<PyErr>> {
    let py = node.py();
    point("begin");
    let tree = core.tree.get();
    let caller = tree.current(py)?;
    let caller_path = caller.get().path(py);
    let path = info.path(py, &caller_path, tree, object);
    Node::begin(node, path, info.function.bind(py), caller, || tree.root(py))?;
    if let Err(error) = tree.enter(node, token) {
        node.get().remove(py);
        return Err(Box::new(error));
    }
    point("begun");
    let nesting = if caller_path.is_empty() { Nesting::Root } else { Nesting::Nested };
    if plan.hooks.any()
        && let Err(error) = registered(py, || run_hooks_before(py, plan, info, nesting, pack))
    {
        leave_tree(core, node, token);
        return Err(Box::new(error));
    }
    Ok(nesting)
}

fn run_hooks_before<'py>(
    py: Python<'py>,
    plan: &Plan,
    info: &FunctionInfo,
    nesting: Nesting,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> PyResult<()> {
    let (args, kwargs) = pack()?;
    let run = |name: &str, hook: &Option<Py<PyAny>>| match hook {
        Some(hook) => {
            let result = user_code::call(hook.bind(py), &[info.function.bind(py), &args, &kwargs]);
            log_hook_failure(py, plan, name, result)
        }
        None => Ok(()),
    };
    if nesting == Nesting::Root {
        run("before_root_func", &plan.hooks.before_root)?;
    }
    run("before_func", &plan.hooks.before)
}

/// Records a call that ends, runs the hooks after it, and hands over if it is time. The node is
/// still current; the caller calls [`leave_tree`], whatever happened here.
///
/// Returns what is left to the caller, usually nothing. If this panics, the node has left the tree.
#[inline]
pub(crate) fn record_and_hand_over<'py>(
    py: Python<'py>,
    core: &Py<ProfilerCore>,
    plan: &Plan,
    call: &Call<'py>,
    token: &ContextToken,
    ending: &Ending<'_, 'py>,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> Option<Box<Outcome<'py>>> {
    let left = OnPanic::new(|| leave_after_panic(core.get(), &call.node, token));
    let outcome = record_run_hooks_and_hand_over(py, core, plan, call, ending, pack);
    left.forget();
    outcome
}

#[inline]
fn record_run_hooks_and_hand_over<'py>(
    py: Python<'py>,
    core: &Py<ProfilerCore>,
    plan: &Plan,
    call: &Call<'py>,
    ending: &Ending<'_, 'py>,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> Option<Box<Outcome<'py>>> {
    point("record");
    let mut outcome = None;
    let profiler = core.get();
    // The plan in force now: it has the hooks and handlers that were added while the call ran.
    let Some(now) = profiler.plan(py) else { return outcome };
    let now = now.get();
    if let Some(time) = &plan.time {
        let milliseconds = if plan.time_decimals == number::USUAL_DECIMALS {
            number::milliseconds(ending.elapsed_ns)
        } else {
            number::milliseconds_with(plan.time_decimals, ending.elapsed_ns)
        };
        let failed = ending.result.is_none() && has_failed(py, now, &mut outcome);
        if let Err(error) = record(py, core, time, milliseconds, call, failed) {
            keep_first(&mut outcome, *error);
        }
    }
    if now.hooks.any() || call.nesting == Nesting::Root {
        registered(py, || {
            record_size_and_run_hooks(py, core, (plan, now), call, ending, pack, &mut outcome);
        });
    }
    point("recorded");
    let tree = profiler.tree.get();
    let waiting = tree.waiting(py);
    if waiting == 0 && !now.has_foreign_metrics {
        return outcome;
    }
    if (waiting >= now.flush_threshold && !profiler.is_handing_over(py, &call.node))
        || tree.is_top(py, &call.node)
    {
        registered(py, || {
            let handed_over = handover::hand_over(py, profiler, now, &now.metrics, &call.node);
            if handed_over.dispatches.is_some() || handed_over.to_raise.is_some() {
                let earlier = outcome.take().and_then(|earlier| earlier.to_raise);
                let to_raise = earlier.or(handed_over.to_raise);
                outcome = Some(Box::new(Outcome { to_raise, ..handed_over }));
            }
        });
    }
    outcome
}

/// The part of [`record_and_hand_over`] for root calls, and for all calls while there are hooks.
fn record_size_and_run_hooks<'py>(
    py: Python<'py>,
    core: &Py<ProfilerCore>,
    (plan, now): (&Plan, &Plan),
    call: &Call<'py>,
    ending: &Ending<'_, 'py>,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
    outcome: &mut Option<Box<Outcome<'py>>>,
) {
    if call.nesting == Nesting::Unsampled {
        return;
    }
    let result = ending.result;
    let packed = if now.hooks.any() {
        match pack() {
            Ok(packed) => Some(packed),
            Err(error) => {
                if let Some(error) = log_failure(py, now, "packing arguments for hooks", error) {
                    keep_first(outcome, error);
                }
                None
            }
        }
    } else {
        None
    };
    if let Some(packed) = &packed {
        run_hook_after(py, now, "after_func", now.hooks.after.as_ref(), result, packed, outcome);
    }
    if call.nesting == Nesting::Nested {
        return;
    }
    if let Some(size) = &plan.size {
        let measured = match &plan.measure_size {
            None => size_of(py, result).map(Some),
            Some(measure) => size_by(py, measure, result),
        };
        let recorded = match measured {
            Ok(Some(bytes)) => {
                let failed = result.is_none() && has_failed(py, now, outcome);
                record(py, core, size, bytes, call, failed).map_err(|e| *e)
            }
            Ok(None) => Ok(()),
            Err(error) => log_failure(py, now, "response size", error).map_or(Ok(()), Err),
        };
        if let Err(error) = recorded {
            keep_first(outcome, error);
        }
    }
    if let Some(packed) = &packed {
        let hook = now.hooks.after_root.as_ref();
        run_hook_after(py, now, "after_root_func", hook, result, packed, outcome);
    }
}

/// Keeps an exception that has to be raised once the node has left the tree; the first one counts.
fn keep_first(outcome: &mut Option<Box<Outcome<'_>>>, error: PyErr) {
    outcome.get_or_insert_default().to_raise.get_or_insert(error);
}

/// Takes the node of a call out of the tree, and makes current what was so before the call. If one
/// of these panics, the other happens all the same.
#[inline]
pub(crate) fn leave_tree(core: &ProfilerCore, node: &Bound<'_, Node>, token: &ContextToken) {
    let py = node.py();
    let left = OnPanic::new(|| leave_after_panic(core, node, token));
    point("leave");
    node.get().remove(py);
    point("left");
    core.tree.get().leave(node, token);
    left.forget();
}

/// Both steps are as good as nothing where they were taken already.
#[cold]
#[inline(never)]
fn leave_after_panic(core: &ProfilerCore, node: &Bound<'_, Node>, token: &ContextToken) {
    let what = "a call that leaves the tree after a failure";
    contained(node.py(), what, || node.get().remove(node.py()));
    contained(node.py(), what, || core.tree.get().leave(node, token));
}

/// Stores a built-in measurement, unless the metric was deleted or replaced meanwhile.
fn record(
    py: Python<'_>,
    core: &Py<ProfilerCore>,
    metric: &Py<Metric>,
    number: f64,
    call: &Call<'_>,
    failed: bool,
) -> Result<(), Box<PyErr>> {
    let tree = &core.get().tree;
    let path = call.node.get().path(py);
    if !eq_labels_may_be_replaced() && metric.get().push_measurement(py, tree, number, failed, path)
    {
        return Ok(());
    }
    let record = || record_checked(py, tree, metric, number, failed, call);
    registered(py, || swallow(py, record()).map(drop)).map_err(Box::new)
}

/// [`record`] where a user has replaced `eq_labels`, or added label names for which there are no
/// values: the check logs that.
#[cold]
fn record_checked(
    py: Python<'_>,
    tree: &Py<CallTree>,
    metric: &Py<Metric>,
    number: f64,
    failed: bool,
    call: &Call<'_>,
) -> PyResult<()> {
    if !metric.get().belongs_to(py, tree) {
        return Ok(());
    }
    let path = call.node.get().path(py);
    let bound = metric.bind(py);
    if replaced_eq_labels(bound)?.is_none()
        && metric.get().push_measurement(py, tree, number, failed, path.clone())
    {
        return Ok(());
    }
    let labels = match check_labels(bound, None, "observe")? {
        Some(RecordLabels::ErrorRaised(_)) => RecordLabels::ErrorRaised(failed),
        Some(labels) => labels,
        None => return Ok(()),
    };
    let value = RecordValue::Number(Operation::Observe, number);
    metric.get().push(py, value, labels, RecordMethod::Path(path));
    Ok(())
}

/// False if the exception that the call raised, and which is being handled, is no error.
#[inline]
fn has_failed(py: Python<'_>, plan: &Plan, outcome: &mut Option<Box<Outcome<'_>>>) -> bool {
    let Some(ignores) = &plan.ignores else { return true };
    let said = registered(py, || user_code::call(ignores.bind(py), &[])?.is_truthy());
    match said {
        Ok(is_ignored) => !is_ignored,
        Err(error) => {
            if let Some(error) = log_failure(py, plan, "ignored_errors", error) {
                keep_first(outcome, error);
            }
            true
        }
    }
}

/// The size that `measure` says; `None` if it knows none.
fn size_by(
    py: Python<'_>,
    measure: &Py<PyAny>,
    result: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<f64>> {
    let none = py.None().into_bound(py);
    user_code::call(measure.bind(py), &[result.unwrap_or(&none)])?.extract()
}

fn size_of(py: Python<'_>, result: Option<&Bound<'_, PyAny>>) -> PyResult<f64> {
    static GETSIZEOF: GilOnce<Py<PyAny>> = GilOnce::new();
    let import = || py.import(intern!(py, "sys"))?.getattr(intern!(py, "getsizeof"));
    let getsizeof = GETSIZEOF.get_or_make(py, || import().map(Bound::unbind))?.bind(py);
    let none = py.None().into_bound(py);
    getsizeof.call1((result.unwrap_or(&none),))?.extract::<u64>().map(|bytes| {
        #[allow(clippy::cast_precision_loss)] // Exact below 8 PiB.
        let bytes = bytes as f64;
        bytes
    })
}

fn run_hook_after<'py>(
    py: Python<'py>,
    plan: &Plan,
    name: &str,
    hook: Option<&Py<PyAny>>,
    result: Option<&Bound<'py, PyAny>>,
    (args, kwargs): &PackedArgs<'py>,
    outcome: &mut Option<Box<Outcome<'py>>>,
) {
    if let (Some(hook), None) = (hook, &outcome) {
        let none = py.None().into_bound(py);
        let called = user_code::call(hook.bind(py), &[result.unwrap_or(&none), args, kwargs]);
        if let Err(error) = log_hook_failure(py, plan, name, called) {
            keep_first(outcome, error);
        }
    }
}

/// Has an `Exception` of a hook logged.
///
/// Errors: any other exception of the hook.
fn log_hook_failure(
    py: Python<'_>,
    plan: &Plan,
    name: &str,
    result: PyResult<Bound<'_, PyAny>>,
) -> PyResult<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => log_failure(py, plan, name, error).map_or(Ok(()), Err),
    }
}
