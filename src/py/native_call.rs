//! From a plain call of a decorated function to its result, through the vectorcall protocol.

#![allow(unsafe_code)]

use std::panic::AssertUnwindSafe;
use std::ptr;

use pyo3::ffi;
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::clock::Start;

use super::call::{self, Call, Ending, Packed};
use super::function::{Kind, Layout};
use super::handover::Outcome;
use super::node::Node;
use super::plan::Plan;
use super::raised::Raised;
use super::site::Site;
use super::stack;
use super::user_code;

/// What the interpreter calls.
///
/// While the user's function runs, nothing with a destructor and nothing that catches may be
/// on this stack: up to CPython 3.13 the end of the interpreter ends daemon threads by
/// `pthread_exit`, which unwinds through here and aborts the process if anything objects.
/// So what is called from here is `extern "C"`: it cannot unwind, and needs nothing that catches.
pub(super) unsafe extern "C" fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    if !enter_level() {
        return ptr::null_mut();
    }
    let call = Arguments { first: arguments, count, keyword_names };
    let mut step = Step::Return(ptr::null_mut());
    prepare(callable, &call, &mut step);
    let result = match step {
        Step::Return(result) => result,
        Step::Forward(target) => call.forward(target),
        Step::Record(recording) => {
            let result = call.forward(recording.function);
            conclude(&call, &recording, result)
        }
        Step::Wrap { function, wrapper } => {
            let generator = call.forward(function);
            if generator.is_null() { generator } else { wrap(&call, wrapper, generator) }
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
    /// Call the function for its generator, which `wrapper` will run.
    Wrap {
        function: *mut ffi::PyObject,
        wrapper: *mut ffi::PyObject,
    },
}

/// A recorded call while the function runs: nothing in here is dropped by itself.
#[derive(Clone, Copy)]
struct Recording {
    function: *mut ffi::PyObject,
    site: *const Site,
    /// Owned references.
    plan: *mut ffi::PyObject,
    node: *mut ffi::PyObject,
    token: *mut ffi::PyObject,
    began_as_root: bool,
    started: Start,
}

#[inline(never)]
extern "C" fn prepare(callable: *mut ffi::PyObject, call: &Arguments, step: &mut Step) {
    let result = attached(|py| {
        // SAFETY: the interpreter calls us with an object of our type, alive for the call;
        // its site is never null and lives as long.
        let (layout, site) = unsafe {
            let layout = &*callable.cast::<Layout>();
            (layout, &*layout.site)
        };
        let function = site.function.as_ptr();
        let core = site.core.get();
        let plan = if core.enabled(py) { core.plan(py) } else { None };
        let Some(plan) = plan else {
            *step = Step::Forward(function);
            return ptr::null_mut();
        };
        let overridden = plan.get().overridden;
        let runner = match layout.kind {
            Kind::Plain | Kind::Generator if overridden => "sync_inner",
            Kind::Coroutine if overridden => "async_inner",
            Kind::Plain => match call::begin(py, core, plan.get(), site, || call.pack(py)) {
                Ok(Call { node, token, began_as_root }) => {
                    *step = Step::Record(Recording {
                        function,
                        site,
                        plan: plan.into_ptr(),
                        node: node.into_ptr(),
                        token: token.into_ptr(),
                        began_as_root,
                        started: Start::now(),
                    });
                    return ptr::null_mut();
                }
                Err(error) => return raise(py, *error),
            },
            // Cleared by the garbage collector, and called once more by a finalizer.
            _ if layout.wrapper.is_null() => {
                *step = Step::Forward(function);
                return ptr::null_mut();
            }
            Kind::Coroutine => {
                *step = Step::Forward(layout.wrapper);
                return ptr::null_mut();
            }
            Kind::Generator => {
                *step = Step::Wrap { function, wrapper: layout.wrapper };
                return ptr::null_mut();
            }
        };
        match run_overridden(py, plan.get(), site, call, runner) {
            Ok(result) => result.into_ptr(),
            Err(error) => raise(py, error),
        }
    });
    if let Step::Return(done) = step {
        *done = result;
    }
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
/// Whatever it counts, the stack of a thread may be too small for it.
/// False with a `RecursionError` raised.
fn enter_level() -> bool {
    if stack::is_nearly_used_up() {
        return refuse_level();
    }
    #[cfg(not(Py_3_12))]
    // SAFETY: called by the interpreter, which holds its lock.
    return unsafe { ffi::Py_EnterRecursiveCall(c" while calling a profiled function".as_ptr()) }
        == 0;
    #[cfg(Py_3_12)]
    true
}

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

fn leave_level() {
    #[cfg(not(Py_3_12))]
    // SAFETY: matches `enter_level`.
    unsafe {
        ffi::Py_LeaveRecursiveCall();
    }
}

/// Runs the body of a function that the interpreter calls; a panic in it becomes an
/// exception.
///
/// Not `Python::attach`: that one refuses while the interpreter is ending, when finalizers
/// still call decorated functions.
pub(super) fn attached(body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls us with its lock held.
    unsafe {
        Python::attach_unchecked(|py| {
            let body = AssertUnwindSafe(|| body(py));
            std::panic::catch_unwind(body).unwrap_or_else(|_| {
                PanicException::new_err("panic in phanos").restore(py);
                ptr::null_mut()
            })
        })
    }
}

/// Arguments in the form of the vectorcall protocol, borrowed from the caller.
struct Arguments {
    first: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
}

impl Arguments {
    /// Calls `callable` with them, as they came.
    fn forward(&self, callable: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: the pointers are the interpreter's, valid until our caller returns.
        unsafe { ffi::PyObject_Vectorcall(callable, self.first, self.count, self.keyword_names) }
    }

    /// A tuple and a dict, as `*args, **kwargs` would hold them.
    fn pack<'py>(&self, py: Python<'py>) -> PyResult<Packed<'py>> {
        // SAFETY: as above; `PyVectorcall_NARGS` strips the flag from the count.
        unsafe {
            let positional = usize::try_from(ffi::PyVectorcall_NARGS(self.count)).unwrap_or(0);
            let argument = |index: usize| Bound::from_borrowed_ptr(py, *self.first.add(index));
            let args = PyTuple::new(py, (0..positional).map(argument).collect::<Vec<_>>())?;
            let kwargs = PyDict::new(py);
            if !self.keyword_names.is_null() {
                let names = Bound::from_borrowed_ptr(py, self.keyword_names);
                for (index, name) in names.cast::<PyTuple>()?.iter().enumerate() {
                    kwargs.set_item(name, argument(positional + index))?;
                }
            }
            Ok((args, kwargs))
        }
    }
}

/// Gives `generator`, an owned reference, to `wrapper` with the arguments it was made with.
/// Nothing of either has run yet.
#[inline(never)]
extern "C" fn wrap(
    arguments: &Arguments,
    wrapper: *mut ffi::PyObject,
    generator: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    attached(|py| {
        // SAFETY: an owned reference; the pointers are the interpreter's, valid until our
        // caller returns, and so is the wrapper, which belongs to the callable.
        unsafe {
            let generator = Bound::from_owned_ptr(py, generator);
            let positional = usize::try_from(ffi::PyVectorcall_NARGS(arguments.count)).unwrap_or(0);
            let named = match arguments.keyword_names {
                names if names.is_null() => 0,
                names => usize::try_from(ffi::PyTuple_GET_SIZE(names)).unwrap_or(0),
            };
            let mut all = Vec::with_capacity(1 + positional + named);
            all.push(generator.as_ptr());
            for index in 0..positional + named {
                all.push(*arguments.first.add(index));
            }
            ffi::PyObject_Vectorcall(wrapper, all.as_ptr(), 1 + positional, arguments.keyword_names)
        }
    })
}

/// The end of a recorded call: `result` is an owned reference, or null with an exception
/// raised. Returns the same, or null with what a hook or handler raised in its place.
#[inline(never)]
extern "C" fn conclude(
    arguments: &Arguments,
    recording: &Recording,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    attached(|py| {
        // SAFETY: owned references from `prepare`; the site belongs to the callable, which
        // the interpreter keeps alive for the call.
        let (plan, node, token, site, result) = unsafe {
            (
                Bound::from_owned_ptr(py, recording.plan).cast_into_unchecked::<Plan>().unbind(),
                Bound::from_owned_ptr(py, recording.node).cast_into_unchecked::<Node>().unbind(),
                Bound::from_owned_ptr(py, recording.token).unbind(),
                &*recording.site,
                Bound::from_owned_ptr_or_opt(py, result),
            )
        };
        let elapsed = recording.started.elapsed();
        let plan = plan.get();
        let call = Call { node, token, began_as_root: recording.began_as_root };
        let ending = Ending { elapsed, failed: result.is_none(), result: result.as_ref() };
        let finish = || call::finish(py, &site.core, plan, &call, &ending, || arguments.pack(py));
        let raised = result.is_none().then(|| Raised::take(py));
        let outcome = match &raised {
            None => finish(),
            Some(raised) => raised.handled(py, finish),
        };
        let interrupted = outcome.and_then(|outcome| settle(py, plan, *outcome));
        call::close(py, site.core.get(), &call);
        Node::recycle(py, call.node, 1);
        if let Some(error) = interrupted {
            if let Some(raised) = raised {
                raised.forget(py);
            }
            return raise(py, *error);
        }
        if let Some(raised) = raised {
            raised.restore(py);
        }
        result.map_or(ptr::null_mut(), Bound::into_ptr)
    })
}

/// Queues what asynchronous handlers have to deliver; returns what must be raised.
#[cold]
fn settle(py: Python<'_>, plan: &Plan, outcome: Outcome<'_>) -> Option<Box<PyErr>> {
    let mut interrupted = outcome.interrupted;
    if let Some(deliveries) = outcome.deliveries
        && let Err(error) = call::queue(py, plan, &deliveries)
    {
        let what = "queueing for asynchronous handlers";
        interrupted = interrupted.or_else(|| call::failure(py, plan, what, error));
    }
    interrupted.map(Box::new)
}

/// The user overrode a step of the call: `runner` of `profile_ext` takes the steps.
#[inline(never)]
fn run_overridden<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    arguments: &Arguments,
    runner: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let (args, kwargs) = arguments.pack(py)?;
    let mut all = Vec::with_capacity(args.len() + 1);
    all.push(site.function.bind(py).clone());
    all.extend(args.iter());
    let steps = plan.profiler.bind(py).getattr(intern!(py, "profile_ext"))?;
    let args = PyTuple::new(py, all)?;
    user_code::call_packed(&steps.getattr(runner)?, &args, Some(&kwargs))
}
