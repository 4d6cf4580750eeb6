//! From a plain call of a decorated function to its result, through the vectorcall protocol.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use phanos_core::clock::Start;

use crate::call::arguments::VectorcallArgs;
use crate::call::deferred::DeferredCall;
use crate::call::function::{Kind, Layout};
use crate::call::lifecycle::{self as call, Call, Ending, Level};
use crate::interp::entry::{enter, enter_unregistered, registered};
use crate::interp::exceptions::PendingException;
use crate::interp::stack;
use crate::interp::user_code;
use crate::profiler::function_info::FunctionInfo;
use crate::profiler::handover::Outcome;
use crate::profiler::plan::Plan;
use crate::profiler::report;
use crate::tree::current::ContextToken;
use crate::tree::node::Node;

/// What the interpreter calls.
///
/// While the user's function runs, nothing with a destructor and nothing that catches may be
/// on this stack: up to CPython 3.13 the end of the interpreter ends daemon threads by
/// `pthread_exit`, which unwinds through here and aborts the process if anything objects.
/// So what is called from here is `extern "C"`, which cannot unwind and needs nothing that
/// catches, or always made part of this function: a single call that could unwind is enough.
pub(crate) unsafe extern "C" fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let call = VectorcallArgs { first: arguments, count, keyword_names };
    let mut step = Step::Return(ptr::null_mut());
    if !prepare(callable, &call, &mut step) {
        return ptr::null_mut();
    }
    let result = match &step {
        Step::Return(result) => *result,
        Step::Forward(target) => call.forward(*target),
        // Looked at where it is: a copy made now would wait until it is written (20 ns).
        Step::Record(recording) => {
            let result = call.forward(recording.function);
            conclude(&call, recording, result)
        }
        Step::Deferred(result) => return *result,
        Step::Wrap { function, wrapper } => {
            let generator = call.forward(*function);
            if generator.is_null() {
                generator
            } else {
                run_later(callable, &call, *wrapper, generator)
            }
        }
    };
    leave_level();
    result
}

/// What remains to be done for a call.
enum Step {
    /// It is done.
    Return(*mut ffi::PyObject),
    /// Call this with the arguments as they came.
    Forward(*mut ffi::PyObject),
    Record(Recording),
    /// The coroutine that will call the function is made; no level was token.
    Deferred(*mut ffi::PyObject),
    /// Call the function for its generator, which `wrapper` will run.
    Wrap {
        function: *mut ffi::PyObject,
        wrapper: *mut ffi::PyObject,
    },
}

/// A recorded call while the function runs: nothing in here is dropped by itself.
struct Recording {
    function: *mut ffi::PyObject,
    info: *const FunctionInfo,
    /// Owned references; null until the call has begun.
    plan: *mut ffi::PyObject,
    node: *mut ffi::PyObject,
    token: ManuallyDrop<ContextToken>,
    level: Level,
    started: Start,
}

/// Enters a level of recursion and works out what to do; false if there is no level left.
#[inline(never)]
extern "C" fn prepare(
    callable: *mut ffi::PyObject,
    call: &VectorcallArgs,
    step: &mut Step,
) -> bool {
    // SAFETY: the interpreter calls us with an object of our type, alive for the call;
    // its info is never null and lives as long.
    let (layout, info) = unsafe {
        let layout = &*callable.cast::<Layout>();
        (layout, &*layout.info)
    };
    if stack::is_nearly_used_up() {
        return refuse_level();
    }
    let (core, function) = (info.core.get(), info.function.as_ptr());
    // SAFETY: the interpreter calls us with its lock held.
    if !core.enabled(unsafe { Python::assume_attached() }) {
        *step = Step::Forward(function);
        return enter_level();
    }
    if layout.kind == Kind::Coroutine && defer(callable, call, step) {
        return true;
    }
    if !enter_level() {
        return false;
    }
    let result = enter_unregistered(|py| {
        let Some(plan) = core.plan(py) else {
            *step = Step::Forward(function);
            return ptr::null_mut();
        };
        let overridden = plan.get().overridden;
        let runner = match layout.kind {
            Kind::Plain | Kind::Generator if overridden => "sync_inner",
            Kind::Coroutine if overridden => "async_inner",
            Kind::Plain => {
                return match record(py, plan, info, call, step) {
                    Ok(()) => ptr::null_mut(),
                    Err(error) => raise(py, *error),
                };
            }
            // Without a wrapper, as in `defer`.
            Kind::Generator if !layout.wrapper.is_null() => {
                *step = Step::Wrap { function, wrapper: layout.wrapper };
                return ptr::null_mut();
            }
            Kind::Coroutine | Kind::Generator => {
                *step = Step::Forward(function);
                return ptr::null_mut();
            }
        };
        registered(py, || match run_overridden(py, plan.get(), info, call, runner) {
            Ok(result) => result.into_ptr(),
            Err(error) => raise(py, error),
        })
    });
    match step {
        // Not begun: the result is an exception.
        Step::Record(recording) if recording.node.is_null() => *step = Step::Return(result),
        Step::Return(done) => *done = result,
        _ => {}
    }
    true
}

/// Makes the coroutine of a call that is to be recorded. False if it is not, or if the user
/// overrode a step of it.
#[inline]
fn defer(callable: *mut ffi::PyObject, call: &VectorcallArgs, step: &mut Step) -> bool {
    // SAFETY: as the caller found.
    let (layout, info) = unsafe {
        let layout = &*callable.cast::<Layout>();
        (layout, &*layout.info)
    };
    let mut otherwise = false;
    let result = enter_unregistered(|py| {
        let plan = info.core.get().plan(py);
        // Without a wrapper: cleared by the garbage collector, and called by a finalizer.
        if layout.wrapper.is_null() || plan.is_none_or(|plan| plan.get().overridden) {
            otherwise = true;
            return ptr::null_mut();
        }
        // SAFETY: it lives for the call.
        let callable = unsafe { Bound::ref_from_ptr(py, &callable) };
        run_by(callable, layout.wrapper, None, call)
    });
    if !otherwise {
        *step = Step::Deferred(result);
    }
    !otherwise
}

/// Begins a recorded call and makes it the next `step`.
#[inline]
fn record(
    py: Python<'_>,
    plan: Bound<'_, Plan>,
    info: &FunctionInfo,
    arguments: &VectorcallArgs,
    step: &mut Step,
) -> Result<(), Box<PyErr>> {
    let node = Node::unstarted(py)?;
    *step = Step::Record(Recording {
        function: info.function.as_ptr(),
        info,
        plan: ptr::null_mut(),
        node: ptr::null_mut(),
        token: ManuallyDrop::new(ContextToken::default()),
        level: Level::Nested,
        started: Start::default(),
    });
    let Step::Record(recording) = step else { unreachable!("set just now") };
    let (core, token) = (info.core.get(), &recording.token);
    let pack = || arguments.pack(py);
    recording.level = call::begin(&node, token, core, plan.get(), info, pack)?;
    recording.plan = plan.into_ptr();
    recording.node = node.into_ptr();
    recording.started = Start::now();
    Ok(())
}

#[cold]
#[inline(never)]
fn raise(py: Python<'_>, error: PyErr) -> *mut ffi::PyObject {
    error.restore(py);
    ptr::null_mut()
}

/// Counts a level of recursion, up to CPython 3.11: each nested call of a profiled function
/// takes C stack, and a limit that only counts Python frames would let it run out. From 3.12
/// on the interpreter counts nested C calls by itself, in a budget that this would halve.
/// False with a `RecursionError` raised.
fn enter_level() -> bool {
    #[cfg(not(Py_3_12))]
    // SAFETY: called by the interpreter, which holds its lock.
    return unsafe { ffi::Py_EnterRecursiveCall(c" while calling a profiled function".as_ptr()) }
        == 0;
    #[cfg(Py_3_12)]
    true
}

/// Whatever is counted, the stack of a thread may be too small for it.
#[cold]
fn refuse_level() -> bool {
    // SAFETY: called by the interpreter, which holds its lock.
    unsafe {
        ffi::PyErr_SetString(
            ffi::PyExc_RecursionError,
            c"stack of the thread nearly used up while calling a profiled function".as_ptr(),
        );
    }
    false
}

#[allow(clippy::inline_always)] // Part of `vectorcall`, as that one says.
#[inline(always)]
fn leave_level() {
    #[cfg(not(Py_3_12))]
    // SAFETY: matches `enter_level`.
    unsafe {
        ffi::Py_LeaveRecursiveCall();
    }
}

/// The generator of `wrapper` that will run `generator`, an owned reference.
#[inline(never)]
extern "C" fn run_later(
    callable: *mut ffi::PyObject,
    arguments: &VectorcallArgs,
    wrapper: *mut ffi::PyObject,
    generator: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter_unregistered(|py| {
        // SAFETY: the callable lives for the call; the generator is an owned reference.
        let (callable, generator) =
            unsafe { (Bound::ref_from_ptr(py, &callable), Bound::from_owned_ptr(py, generator)) };
        run_by(callable, wrapper, Some(&generator), arguments)
    })
}

/// Calls `wrapper` for the coroutine or generator that runs the function later: with a call
/// that has the arguments, after `generator`. Nothing has run yet.
#[inline]
fn run_by<'py>(
    callable: &Bound<'py, PyAny>,
    wrapper: *mut ffi::PyObject,
    generator: Option<&Bound<'py, PyAny>>,
    arguments: &VectorcallArgs,
) -> *mut ffi::PyObject {
    let call = match DeferredCall::waiting(callable, arguments) {
        Ok(call) => call,
        Err(error) => return raise(callable.py(), error),
    };
    let both = [generator.map_or(ptr::null_mut(), Bound::as_ptr), call.as_ptr()];
    let given = if generator.is_none() { &both[1..] } else { &both[..] };
    // SAFETY: valid objects; the wrapper belongs to the callable, which the interpreter
    // keeps alive for the call. It is a function that makes an object and runs nothing.
    unsafe { ffi::PyObject_Vectorcall(wrapper, given.as_ptr(), given.len(), ptr::null_mut()) }
}

/// The end of a recorded call: `result` is an owned reference, or null with an exception
/// raised. Returns the same, or null with what a hook or handler raised in its place.
#[inline(never)]
extern "C" fn conclude(
    arguments: &VectorcallArgs,
    recording: &Recording,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    if result.is_null() {
        enter(|py| {
            let raised = PendingException::take(py);
            if let Some(error) = raised.handled(py, || end(py, arguments, recording, None)) {
                raised.discard(py);
                raise(py, *error)
            } else {
                raised.restore(py);
                ptr::null_mut()
            }
        })
    } else {
        enter_unregistered(|py| {
            // SAFETY: an owned reference.
            let result = unsafe { Bound::from_owned_ptr(py, result) };
            match end(py, arguments, recording, Some(&result)) {
                Some(error) => registered(py, || raise(py, *error)),
                None => result.into_ptr(),
            }
        })
    }
}

/// Records the call and takes its node away; returns what must be raised.
#[inline]
fn end<'py>(
    py: Python<'py>,
    arguments: &VectorcallArgs,
    recording: &Recording,
    result: Option<&Bound<'py, PyAny>>,
) -> Option<Box<PyErr>> {
    // SAFETY: owned references from `prepare`; the info belongs to the callable, which
    // the interpreter keeps alive for the call.
    let (plan, node, info) = unsafe {
        (
            Bound::from_owned_ptr(py, recording.plan).cast_into_unchecked::<Plan>(),
            Bound::from_owned_ptr(py, recording.node).cast_into_unchecked::<Node>(),
            &*recording.info,
        )
    };
    let elapsed_ns = recording.started.elapsed_ns();
    let plan = plan.get();
    let call = Call { node, level: recording.level };
    let ending = Ending { elapsed_ns, failed: result.is_none(), result };
    let outcome = call::finish(py, &info.core, plan, &call, &ending, || arguments.pack(py));
    let interrupted = outcome.and_then(|outcome| registered(py, || settle(py, plan, *outcome)));
    call::close(info.core.get(), &call.node, &recording.token);
    Node::recycle(call.node);
    interrupted
}

/// Queues what asynchronous handlers have to deliver; returns what must be raised.
#[cold]
fn settle(py: Python<'_>, plan: &Plan, outcome: Outcome<'_>) -> Option<Box<PyErr>> {
    let mut interrupted = outcome.interrupted;
    if let Some(deliveries) = outcome.deliveries
        && let Err(error) = report::queue(py, plan, &deliveries)
    {
        let what = "queueing for asynchronous handlers";
        interrupted = interrupted.or_else(|| report::failure(py, plan, what, error));
    }
    interrupted.map(Box::new)
}

/// The user overrode a step of the call: `runner` of `profile_ext` takes the steps.
#[inline(never)]
fn run_overridden<'py>(
    py: Python<'py>,
    plan: &Plan,
    info: &FunctionInfo,
    arguments: &VectorcallArgs,
    runner: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let (args, kwargs) = arguments.pack(py)?;
    let mut all = Vec::with_capacity(args.len() + 1);
    all.push(info.function.bind(py).clone());
    all.extend(args.iter());
    let steps = plan.profiler.bind(py).getattr(intern!(py, "profile_ext"))?;
    let args = PyTuple::new(py, all)?;
    user_code::call_packed(&steps.getattr(runner)?, &args, Some(&kwargs))
}
