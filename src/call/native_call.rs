//! A plain call of a decorated function, from the vectorcall protocol to its result.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use phanos_core::clock::Start;

use crate::call::arguments::VectorcallArgs;
use crate::call::deferred::DeferredCall;
use crate::call::function::{FunctionKind, Layout};
use crate::call::lifecycle::{self, Call, Ending, Nesting};
use crate::call::recursion;
use crate::interp::entry::{enter, enter_unregistered, registered};
use crate::interp::exceptions::PendingException;
use crate::interp::once::intern;
use crate::interp::panics::{contained, enter_contained, point};
use crate::interp::stack;
use crate::interp::user_code;
use crate::profiler::function_info::FunctionInfo;
use crate::profiler::handover::Outcome;
use crate::profiler::plan::Plan;
use crate::profiler::report;
use crate::profiler::sampling::Choice;
use crate::tree::current::ContextToken;
use crate::tree::node::Node;

/// The function that the interpreter calls.
///
/// While the user's function runs, nothing with a destructor and nothing that catches is on this
/// stack: a daemon thread that the end of the interpreter unwinds ends then, as under 0.3.2, instead
/// of being parked (see `thread_end`). So every function called from here either is `extern "C"`,
/// which cannot unwind and needs nothing that catches, or is always inlined.
pub(crate) unsafe extern "C" fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let arguments = VectorcallArgs { first: arguments, count, keyword_names };
    let mut step = Step::Return(ptr::null_mut());
    if !prepare(callable, &arguments, &mut step) {
        return ptr::null_mut();
    }
    let result = match &step {
        Step::Return(result) => *result,
        Step::Forward(target) => arguments.forward(*target),
        // Read where it is: a copy made now would wait until all its parts are written (20 ns).
        Step::Record(recording) => {
            let result = arguments.forward(recording.function);
            end_recorded(&arguments, recording, result)
        }
        Step::Coroutine(coroutine) => return *coroutine,
        Step::Generator(function) => {
            let generator = arguments.forward(*function);
            if generator.is_null() {
                generator
            } else {
                wrap_generator(callable, &arguments, generator)
            }
        }
    };
    recursion::leave();
    result
}

/// What is to be done next for a call.
enum Step {
    /// Return this: the call is over.
    Return(*mut ffi::PyObject),
    /// Call this with the arguments as they came.
    Forward(*mut ffi::PyObject),
    /// Call the function and record the call.
    Record(Recording),
    /// Return this coroutine, which will call the function. No level of recursion was entered.
    Coroutine(*mut ffi::PyObject),
    /// Call the function for its generator, which a generator of the wrapper will run.
    Generator(*mut ffi::PyObject),
}

/// A recorded call while the function runs. It has no destructor.
struct Recording {
    function: *mut ffi::PyObject,
    info: *const FunctionInfo,
    /// Owned, as is `node`; null until the call has begun.
    plan: *mut ffi::PyObject,
    node: *mut ffi::PyObject,
    token: ManuallyDrop<ContextToken>,
    nesting: Nesting,
    started: Start,
}

/// Enters a level of recursion and sets `step`; false, with an exception raised, if that fails.
#[inline(never)]
extern "C" fn prepare(
    callable: *mut ffi::PyObject,
    arguments: &VectorcallArgs,
    step: &mut Step,
) -> bool {
    // SAFETY: the interpreter passes a decorated function, which lives for the call; its info is
    // never null and lives as long.
    let (layout, info) = unsafe {
        let layout = &*callable.cast::<Layout>();
        (layout, &*layout.info)
    };
    if stack::is_nearly_used_up() {
        return recursion::raise_stack_used_up();
    }
    let (core, function) = (info.core.get(), info.function.as_ptr());
    // SAFETY: the interpreter calls with its lock held.
    if !core.enabled(unsafe { Python::assume_attached() }) {
        *step = Step::Forward(function);
        return recursion::enter();
    }
    if layout.kind == FunctionKind::Coroutine && make_coroutine(callable, arguments, step) {
        return true;
    }
    if !recursion::enter() {
        return false;
    }
    let choose = |py: Python<'_>| choose_step(py, layout, info, arguments, step);
    let Some(result) = enter_contained("a call that begins", choose) else {
        *step = Step::Forward(function);
        return true;
    };
    match step {
        // The call could not begin: `result` is null, with the exception raised.
        Step::Record(recording) if recording.node.is_null() => *step = Step::Return(result),
        Step::Return(done) => *done = result,
        _ => {}
    }
    true
}

/// Sets `step` to what is to be done for a call that may be recorded, or returns a result or null
/// with an exception raised.
#[inline]
fn choose_step(
    py: Python<'_>,
    layout: &Layout,
    info: &FunctionInfo,
    arguments: &VectorcallArgs,
    step: &mut Step,
) -> *mut ffi::PyObject {
    point("choose");
    let (core, function) = (info.core.get(), info.function.as_ptr());
    let Some(plan) = core.plan(py) else {
        *step = Step::Forward(function);
        return ptr::null_mut();
    };
    // One place where calls begin: the compiler puts all of it in here.
    let (plan, is_silent) = if plan.get().is_usual {
        (plan, false)
    } else {
        match choose_unusual_step(py, layout, info, plan, arguments, step) {
            Unusual::Begin(plan, is_silent) => (plan, is_silent),
            Unusual::Done(result) => return result,
        }
    };
    match layout.kind {
        FunctionKind::Plain => {
            if let Err(error) = begin_recorded(py, plan, info, arguments, step) {
                return raise(py, *error);
            }
            if is_silent {
                mark_unsampled(py, step);
            }
            ptr::null_mut()
        }
        // There may be no wrapper, as in `make_coroutine`.
        FunctionKind::Generator if !layout.wrapper.is_null() => {
            *step = Step::Generator(function);
            ptr::null_mut()
        }
        FunctionKind::Coroutine | FunctionKind::Generator => {
            *step = Step::Forward(function);
            ptr::null_mut()
        }
    }
}

/// What becomes of a call where a user overrode a step, or not all trees are recorded.
enum Unusual<'py> {
    /// It goes on as any other by this plan; true if nothing of it is recorded.
    Begin(Bound<'py, Plan>, bool),
    /// It is over with this result, or `step` says what is to be done.
    Done(*mut ffi::PyObject),
}

#[inline(never)]
fn choose_unusual_step<'py>(
    py: Python<'py>,
    layout: &Layout,
    info: &FunctionInfo,
    plan: Bound<'py, Plan>,
    arguments: &VectorcallArgs,
    step: &mut Step,
) -> Unusual<'py> {
    if let Some(sampling) = &plan.get().sampling {
        // The bodies of others begin later, and so they are chosen later.
        if layout.kind != FunctionKind::Plain {
            return Unusual::Begin(plan, false);
        }
        return match sampling.choose(py, info.core.get()) {
            Choice::Record => Unusual::Begin(plan, false),
            Choice::Silent(silent) => Unusual::Begin(silent, true),
            Choice::Skip => {
                *step = Step::Forward(info.function.as_ptr());
                Unusual::Done(ptr::null_mut())
            }
        };
    }
    let runner = if layout.kind == FunctionKind::Coroutine { "async_inner" } else { "sync_inner" };
    Unusual::Done(registered(py, || {
        match run_overridden(py, plan.get(), info, arguments, runner) {
            Ok(result) => result.into_ptr(),
            Err(error) => raise(py, error),
        }
    }))
}

/// Marks the call that has just begun, and all below it, as not recorded.
#[cold]
#[inline(never)]
fn mark_unsampled(py: Python<'_>, step: &mut Step) {
    if let Step::Record(recording) = step {
        recording.nesting = Nesting::Unsampled;
        // SAFETY: a node, which the recording owns since the call has begun.
        let node =
            unsafe { Bound::from_borrowed_ptr(py, recording.node).cast_into_unchecked::<Node>() };
        node.get().set_unsampled(py);
    }
}

/// Makes the coroutine of a call that is to be recorded. False if there is to be none: a user
/// overrode a step of the call, or there is nothing to record it by.
#[inline]
fn make_coroutine(
    callable: *mut ffi::PyObject,
    arguments: &VectorcallArgs,
    step: &mut Step,
) -> bool {
    // SAFETY: as in the caller.
    let (layout, info) = unsafe {
        let layout = &*callable.cast::<Layout>();
        (layout, &*layout.info)
    };
    let made = enter_contained("a coroutine that is made", |py| {
        let plan = info.core.get().plan(py);
        // There is no wrapper once the garbage collector cleared the function, which finalizers can
        // still call.
        if layout.wrapper.is_null() || plan.is_none_or(|plan| plan.get().overridden) {
            return None;
        }
        // SAFETY: it lives for the call.
        let callable = unsafe { Bound::ref_from_ptr(py, &callable) };
        Some(call_wrapper(callable, None, arguments))
    });
    let Some(coroutine) = made.flatten() else { return false };
    *step = Step::Coroutine(coroutine);
    true
}

/// Begins a call that is recorded, and sets `step` to it.
#[inline]
fn begin_recorded(
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
        nesting: Nesting::Nested,
        started: Start::default(),
    });
    let Step::Record(recording) = step else { unreachable!("set just now") };
    let (core, token) = (info.core.get(), &recording.token);
    let (object, pack) = (|| arguments.object(py), || arguments.pack(py));
    recording.nesting = lifecycle::begin(&node, token, core, plan.get(), info, object, pack)?;
    recording.plan = plan.into_ptr();
    recording.node = node.into_ptr();
    recording.started = Start::now();
    Ok(())
}

#[cold]
#[inline(never)]
fn raise(py: Python<'_>, error: PyErr) -> *mut ffi::PyObject {
    registered(py, || error.restore(py));
    ptr::null_mut()
}

/// The generator of `wrapper` that will run `generator`, an owned reference.
#[inline(never)]
extern "C" fn wrap_generator(
    callable: *mut ffi::PyObject,
    arguments: &VectorcallArgs,
    generator: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter_unregistered(|py| {
        // SAFETY: the callable lives for the call; the generator is an owned reference.
        let (callable, generator) =
            unsafe { (Bound::ref_from_ptr(py, &callable), Bound::from_owned_ptr(py, generator)) };
        // The function that made it may have had the code replaced, so that another kind of
        // function is wrapped now.
        // SAFETY: a decorated function has this layout.
        let layout = unsafe { &*callable.as_ptr().cast::<Layout>() };
        if layout.kind != FunctionKind::Generator || layout.wrapper.is_null() {
            return generator.into_ptr();
        }
        let wrap = || call_wrapper(callable, Some(&generator), arguments);
        // Without a wrapper the generator is not recorded.
        contained(py, "a generator that is made", wrap).unwrap_or_else(|| generator.into_ptr())
    })
}

/// Calls `wrapper`, which makes the coroutine or generator that will run the function. It gets the
/// generator of the function, if there is one, and the call with its arguments.
#[inline]
fn call_wrapper<'py>(
    callable: &Bound<'py, PyAny>,
    generator: Option<&Bound<'py, PyAny>>,
    arguments: &VectorcallArgs,
) -> *mut ffi::PyObject {
    point("wrap");
    let call = match DeferredCall::new(callable, arguments) {
        Ok(call) => call,
        Err(error) => return raise(callable.py(), error),
    };
    let both = [generator.map_or(ptr::null_mut(), Bound::as_ptr), call.as_ptr()];
    let given = if generator.is_none() { &both[1..] } else { &both[..] };
    // SAFETY: valid objects; the wrapper belongs to the callable, which the interpreter keeps
    // alive for the call. It only makes an object: no code of the user runs. It is read now, since
    // whatever ran before may have replaced or, in a collection, cleared it.
    unsafe {
        let wrapper = (*callable.as_ptr().cast::<Layout>()).wrapper;
        if wrapper.is_null() {
            let message = "expected a coroutine or generator function, its code was replaced";
            return raise(callable.py(), PyRuntimeError::new_err(message));
        }
        ffi::PyObject_Vectorcall(wrapper, given.as_ptr(), given.len(), ptr::null_mut())
    }
}

/// Ends a recorded call. `result` is an owned reference, or null with an exception raised; the same
/// is returned, or null with what a hook or handler raised in its place.
#[inline(never)]
extern "C" fn end_recorded(
    arguments: &VectorcallArgs,
    recording: &Recording,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    const WHAT: &str = "a call that ends";
    if result.is_null() {
        enter(|py| {
            let pending = PendingException::take(py);
            let end = || contained(py, WHAT, || end(py, arguments, recording, None));
            if let Some(error) = pending.handled(py, end).flatten() {
                pending.discard(py);
                raise(py, *error)
            } else {
                pending.restore(py);
                ptr::null_mut()
            }
        })
    } else {
        let raised = enter_contained(WHAT, |py| {
            // SAFETY: a valid object, which the caller owns.
            let result = unsafe { Bound::ref_from_ptr(py, &result) };
            end(py, arguments, recording, Some(result))
        });
        match raised.flatten() {
            Some(error) => raise_in_place_of(result, *error),
            None => result,
        }
    }
}

/// Drops `result`, an owned reference, and raises `error`.
#[cold]
#[inline(never)]
fn raise_in_place_of(result: *mut ffi::PyObject, error: PyErr) -> *mut ffi::PyObject {
    enter(|py| {
        // SAFETY: an owned reference, dropped once.
        drop(unsafe { Bound::from_owned_ptr(py, result) });
        raise(py, error)
    })
}

/// Records a call that ends, and takes its node out of the tree. Returns what must be raised.
#[inline]
fn end<'py>(
    py: Python<'py>,
    arguments: &VectorcallArgs,
    recording: &Recording,
    result: Option<&Bound<'py, PyAny>>,
) -> Option<Box<PyErr>> {
    // SAFETY: owned references from `begin_recorded`; the callable owns the info, and the
    // interpreter keeps it alive for the call.
    let (plan, node, info) = unsafe {
        (
            Bound::from_owned_ptr(py, recording.plan).cast_into_unchecked::<Plan>(),
            Bound::from_owned_ptr(py, recording.node).cast_into_unchecked::<Node>(),
            &*recording.info,
        )
    };
    let elapsed_ns = recording.started.elapsed_ns();
    let plan = plan.get();
    let call = Call { node, nesting: recording.nesting };
    let ending = Ending { elapsed_ns, result };
    let pack = || arguments.pack(py);
    let token = &recording.token;
    let outcome =
        lifecycle::record_and_hand_over(py, &info.core, plan, &call, token, &ending, pack);
    let to_raise = outcome.and_then(|outcome| {
        let queue = || registered(py, || queue(py, plan, *outcome));
        contained(py, "batches for asynchronous handlers", queue).flatten()
    });
    lifecycle::leave_tree(info.core.get(), &call.node, token);
    Node::recycle(call.node);
    to_raise
}

/// Queues the dispatches to asynchronous handlers; returns what must be raised.
#[cold]
fn queue(py: Python<'_>, plan: &Plan, outcome: Outcome<'_>) -> Option<Box<PyErr>> {
    point("queue");
    let mut to_raise = outcome.to_raise;
    if let Some(dispatches) = outcome.dispatches
        && let Err(error) = report::queue_dispatches(py, plan, &dispatches)
    {
        let what = "queueing for asynchronous handlers";
        to_raise = to_raise.or_else(|| report::log_failure(py, plan, what, error));
    }
    to_raise.map(Box::new)
}

/// Runs a call of which a user overrode a step: `runner` of `profile_ext` takes the steps.
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
