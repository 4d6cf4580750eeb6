//! The life of one profiled call: begin, measure, finish.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use phanos_core::number;

use crate::call::arguments::PackedArgs;
use crate::interp::entry::registered;
use crate::interp::exceptions::swallow;
use crate::interp::user_code;
use crate::metric::base::Metric;
use crate::metric::label_check::check_labels;
use crate::profiler::core::ProfilerCore;
use crate::profiler::function_info::FunctionInfo;
use crate::profiler::handover::{self, Outcome};
use crate::profiler::plan::Plan;
use crate::profiler::report::failure;
use crate::tree::current::ContextToken;
use crate::tree::node::Node;

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
/// `token`, which is empty, gets what it takes to leave the node.
///
/// Errors: `MemoryError`, or what a hook raised that is not an `Exception`; the tree is
/// then as before.
#[inline]
pub(crate) fn begin<'py>(
    node: &Bound<'py, Node>,
    token: &ContextToken,
    core: &ProfilerCore,
    plan: &Plan,
    info: &FunctionInfo,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> Result<Level, Box<PyErr>> {
    let py = node.py();
    let tree = core.tree.get();
    let caller = tree.current(py)?;
    let caller_path = caller.get().path(py);
    let path = core.path(py, info, &caller_path);
    Node::begin(node, path, info.function.bind(py), caller, || tree.root(py))?;
    if let Err(error) = tree.enter(node, token) {
        node.get().remove(py);
        return Err(Box::new(error));
    }
    let level = if caller_path.is_empty() { Level::Root } else { Level::Nested };
    if plan.hooks.any()
        && let Err(error) = registered(py, || before(py, plan, info, level, pack))
    {
        close(core, node, token);
        return Err(Box::new(error));
    }
    Ok(level)
}

fn before<'py>(
    py: Python<'py>,
    plan: &Plan,
    info: &FunctionInfo,
    level: Level,
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
) -> PyResult<()> {
    let (args, kwargs) = pack()?;
    let run = |name: &str, hook: &Option<Py<PyAny>>| match hook {
        Some(hook) => hook_result(
            py,
            plan,
            name,
            user_code::call(hook.bind(py), &[info.function.bind(py), &args, &kwargs]),
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
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
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
        registered(py, || {
            finish_root_or_hooked(py, core, (plan, now), call, ending, pack, &mut outcome);
        });
    }
    let tree = profiler.tree.get();
    let waiting = tree.waiting(py);
    if waiting == 0 {
        return outcome;
    }
    if (waiting >= now.flush_threshold && !profiler.is_handing_over(py, &call.node))
        || tree.is_top(py, &call.node)
    {
        let handed =
            registered(py, || handover::hand_over(py, profiler, now, &now.metrics, &call.node));
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
    pack: impl FnOnce() -> PyResult<PackedArgs<'py>>,
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
pub(crate) fn close(core: &ProfilerCore, node: &Bound<'_, Node>, token: &ContextToken) {
    node.get().remove(node.py());
    core.tree.get().leave(node, token);
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
    if metric.get().push_measurement(py, tree, number, failed, path)
        || !metric.get().belongs_to(py, tree)
    {
        return Ok(());
    }
    // Label names that a user added, and for which there are no values: the check logs that.
    let checked = registered(py, || check_labels(metric.bind(py), None, "observe"));
    swallow(py, checked).map_err(Box::new)?;
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
    (args, kwargs): &PackedArgs<'py>,
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
