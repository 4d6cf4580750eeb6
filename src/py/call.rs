//! The life of one profiled call: begin, measure, finish.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};

use crate::core::number;

use super::arguments::Packed;
use super::current::Entered;
use super::entry::known;
use super::handover::{self, Outcome};
use super::metric::{Metric, PlainLabels};
use super::node::Node;
use super::operation;
use super::plan::Plan;
use super::profiler::ProfilerCore;
use super::raised::swallow;
use super::site::Site;
use super::user_code;

/// A call under way.
pub(crate) struct Call<'py> {
    pub(crate) node: Bound<'py, Node>,
    pub(crate) level: Level,
}

/// Whether anything profiled was above a call when it began.
///
/// As wide as its neighbours: a single byte would be written alone and copied together with
/// what is beside it, for which the processor waits (14 ns of the call of a coroutine).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Level {
    #[default]
    Root,
    Nested,
}

/// How a call ended.
pub(crate) struct Ending<'a, 'py> {
    pub(crate) elapsed_ns: u64,
    pub(crate) failed: bool,
    /// `None` after an exception.
    pub(crate) result: Option<&'a Bound<'py, PyAny>>,
}

/// Gives a waiting node its place, makes it current, runs the hooks before the call.
/// `entered`, which is empty, gets what it takes to leave the node.
///
/// Errors: `MemoryError`, or what a hook raised that is not an `Exception`; the tree is
/// then as before.
#[inline]
pub(crate) fn begin<'py>(
    node: &Bound<'py, Node>,
    entered: &Entered,
    core: &ProfilerCore,
    plan: &Plan,
    site: &Site,
    pack: impl FnOnce() -> PyResult<Packed<'py>>,
) -> Result<Level, Box<PyErr>> {
    let py = node.py();
    let here = core.here(py);
    let above = core.current_at(here)?;
    let above_path = above.get().path(py);
    let path = core.path(py, site, &above_path);
    Node::begin(node, path, site.function.bind(py), above, || core.root(py))?;
    if let Err(error) = here.enter(node, entered) {
        node.get().remove(py);
        return Err(Box::new(error));
    }
    let level = if above_path.is_empty() { Level::Root } else { Level::Nested };
    if plan.hooks.any()
        && let Err(error) = known(py, || before(py, plan, site, level, pack))
    {
        close(core, node, entered);
        return Err(Box::new(error));
    }
    Ok(level)
}

fn before<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    level: Level,
    pack: impl FnOnce() -> PyResult<Packed<'py>>,
) -> PyResult<()> {
    let (args, kwargs) = pack()?;
    let run = |name: &str, hook: &Option<Py<PyAny>>| match hook {
        Some(hook) => hook_result(
            py,
            plan,
            name,
            user_code::call(hook.bind(py), &[site.function.bind(py), &args, &kwargs]),
        ),
        None => Ok(()),
    };
    if level == Level::Root {
        run("before_root_func", &plan.hooks.before_root)?;
    }
    run("before_func", &plan.hooks.before)
}

/// Records the call, runs the hooks after it, hands over if it is time. Does not yet take
/// the node away: [`close`] does, whatever happened here.
///
/// Returns what is left to do, usually nothing.
pub(crate) fn finish<'py>(
    py: Python<'py>,
    core: &Py<ProfilerCore>,
    plan: &Plan,
    call: &Call<'py>,
    ending: &Ending<'_, 'py>,
    pack: impl FnOnce() -> PyResult<Packed<'py>>,
) -> Option<Box<Outcome<'py>>> {
    let mut outcome = None;
    let profiler = core.get();
    // The plan in force now: hooks and handlers added while the call ran are served.
    let Some(now) = profiler.plan(py) else { return outcome };
    let now = now.get();
    if let Some(time) = &plan.time {
        let milliseconds = number::milliseconds(ending.elapsed_ns);
        if let Err(error) = record(py, core, time, milliseconds, call, ending.failed) {
            interrupt(&mut outcome, *error);
        }
    }
    if now.hooks.any() || call.level == Level::Root {
        known(py, || {
            finish_root_or_hooked(py, core, (plan, now), call, ending, pack, &mut outcome);
        });
    }
    let waiting = profiler.waiting(py);
    if waiting == 0 {
        return outcome;
    }
    if (waiting >= now.flush_threshold && !profiler.is_handing_over(py, &call.node))
        || profiler.is_top(py, &call.node)
    {
        let handed = known(py, || handover::hand_over(py, profiler, now, &now.metrics, &call.node));
        if handed.deliveries.is_some() || handed.interrupted.is_some() {
            let earlier = outcome.take().and_then(|earlier| earlier.interrupted);
            outcome =
                Some(Box::new(Outcome { interrupted: earlier.or(handed.interrupted), ..handed }));
        }
    }
    outcome
}

/// The part of [`finish`] that most calls are spared.
fn finish_root_or_hooked<'py>(
    py: Python<'py>,
    core: &Py<ProfilerCore>,
    (plan, now): (&Plan, &Plan),
    call: &Call<'py>,
    ending: &Ending<'_, 'py>,
    pack: impl FnOnce() -> PyResult<Packed<'py>>,
    outcome: &mut Option<Box<Outcome<'py>>>,
) {
    let result = ending.result;
    let packed = if now.hooks.any() {
        match pack() {
            Ok(packed) => Some(packed),
            Err(error) => {
                if let Some(error) = failure(py, now, "packing arguments for hooks", error) {
                    interrupt(outcome, error);
                }
                None
            }
        }
    } else {
        None
    };
    if let Some(packed) = &packed {
        after(py, now, "after_func", now.hooks.after.as_ref(), result, packed, outcome);
    }
    if call.level == Level::Nested {
        return;
    }
    if let Some(size) = &plan.size {
        let recorded = match size_of(py, result) {
            Ok(bytes) => record(py, core, size, bytes, call, ending.failed).map_err(|e| *e),
            Err(error) => {
                let what = "response size measured by sys.getsizeof";
                failure(py, now, what, error).map_or(Ok(()), Err)
            }
        };
        if let Err(error) = recorded {
            interrupt(outcome, error);
        }
    }
    if let Some(packed) = &packed {
        let hook = now.hooks.after_root.as_ref();
        after(py, now, "after_root_func", hook, result, packed, outcome);
    }
}

/// Notes what must go on once the tree is right again; the first such exception counts.
fn interrupt(outcome: &mut Option<Box<Outcome<'_>>>, error: PyErr) {
    outcome.get_or_insert_default().interrupted.get_or_insert(error);
}

/// Takes the node of a call away and makes current what was current before.
pub(crate) fn close(core: &ProfilerCore, node: &Bound<'_, Node>, entered: &Entered) {
    node.get().remove(node.py());
    core.leave(node, entered);
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
    let store = metric.get();
    if !store.belongs_to(py, core) {
        return Ok(());
    }
    let path = call.node.get().path(py);
    match store.plain_labels(py) {
        Some(PlainLabels::None) => store.push_for(py, core.get(), number, None, path),
        Some(PlainLabels::ErrorRaised) => {
            store.push_for(py, core.get(), number, Some(failed), path);
        }
        // Label names that a user added and nobody gives: the operation logs that.
        None => {
            let told = known(py, || operation::label_cell(metric.bind(py), None, "observe"));
            swallow(py, told).map_err(Box::new)?;
        }
    }
    Ok(())
}

fn size_of(py: Python<'_>, result: Option<&Bound<'_, PyAny>>) -> PyResult<f64> {
    static GETSIZEOF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let getsizeof = GETSIZEOF.import(py, "sys", "getsizeof")?;
    let none = py.None().into_bound(py);
    getsizeof.call1((result.unwrap_or(&none),))?.extract::<u64>().map(|bytes| {
        #[allow(clippy::cast_precision_loss)] // Exact below 8 PiB.
        let bytes = bytes as f64;
        bytes
    })
}

fn after<'py>(
    py: Python<'py>,
    plan: &Plan,
    name: &str,
    hook: Option<&Py<PyAny>>,
    result: Option<&Bound<'py, PyAny>>,
    (args, kwargs): &Packed<'py>,
    outcome: &mut Option<Box<Outcome<'py>>>,
) {
    if let (Some(hook), None) = (hook, &outcome) {
        let none = py.None().into_bound(py);
        let called = user_code::call(hook.bind(py), &[result.unwrap_or(&none), args, kwargs]);
        if let Err(error) = hook_result(py, plan, name, called) {
            interrupt(outcome, error);
        }
    }
}

/// An `Exception` of a hook is logged and forgotten; anything else goes on.
fn hook_result(
    py: Python<'_>,
    plan: &Plan,
    name: &str,
    called: PyResult<Bound<'_, PyAny>>,
) -> PyResult<()> {
    match called {
        Ok(_) => Ok(()),
        Err(error) => match failure(py, plan, name, error) {
            Some(error) => Err(error),
            None => Ok(()),
        },
    }
}

/// Lets the profiler log an `Exception` raised by `what`; returns what must go on.
pub(crate) fn failure(py: Python<'_>, plan: &Plan, what: &str, error: PyErr) -> Option<PyErr> {
    let error = match swallow::<()>(py, Err(error.clone_ref(py))) {
        Ok(_) => error,
        Err(error) => return Some(error),
    };
    let report = plan.profiler.bind(py);
    let name = intern!(py, "_report_failure");
    let (what, error) = (PyString::new(py, what), error.into_value(py).into_bound(py));
    let reported = user_code::call_method(report, name, &[&what, &error]);
    swallow(py, reported).err()
}

/// Lines batches for asynchronous handlers up, where nothing can be awaited.
pub(crate) fn queue(py: Python<'_>, plan: &Plan, deliveries: &Bound<'_, PyList>) -> PyResult<()> {
    user_code::call_method(
        plan.profiler.bind(py),
        intern!(py, "_queue_dispatches"),
        &[deliveries],
    )?;
    Ok(())
}
