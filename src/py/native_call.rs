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

/// What the interpreter calls.
pub(super) unsafe extern "C" fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let Some(_level) = Level::enter() else { return ptr::null_mut() };
    let call = Arguments { first: arguments, count, keyword_names };
    attached(|py| {
        // SAFETY: the interpreter calls us with an object of our type, alive for the call.
        let layout = unsafe { &*callable.cast::<Layout>() };
        // SAFETY: never null, and shared ownership ends with the object.
        let site = unsafe { &*layout.site };
        if !site.core.get().enabled(py) {
            return call.forward(site.function.as_ptr());
        }
        let Some(plan) = site.core.get().plan(py) else {
            return call.forward(site.function.as_ptr());
        };
        let outcome = match layout.kind {
            Kind::Plain if plan.get().overridden => {
                run_overridden(py, plan.get(), site, &call, "sync_inner")
            }
            Kind::Coroutine if plan.get().overridden => {
                run_overridden(py, plan.get(), site, &call, "async_inner")
            }
            Kind::Plain => run(py, plan.get(), site, &call),
            Kind::Coroutine | Kind::Generator => return call.forward(layout.wrapper),
        };
        match outcome {
            Ok(Some(result)) => result.into_ptr(),
            Ok(None) => ptr::null_mut(), // Raised already.
            Err(error) => raise(py, *error),
        }
    })
}

#[cold]
#[inline(never)]
fn raise(py: Python<'_>, error: PyErr) -> *mut ffi::PyObject {
    error.restore(py);
    ptr::null_mut()
}

/// A level of recursion, up to CPython 3.11: each nested call of a profiled function takes
/// C stack, and a limit that only counts Python frames would let it run out. From 3.12 on
/// the interpreter counts nested C calls by itself, in a budget that this would halve.
struct Level;

impl Level {
    /// `None` with a `RecursionError` raised.
    fn enter() -> Option<Self> {
        #[cfg(not(Py_3_12))]
        // SAFETY: called by the interpreter, which holds its lock.
        if unsafe { ffi::Py_EnterRecursiveCall(c" while calling a profiled function".as_ptr()) }
            != 0
        {
            return None;
        }
        Some(Self)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        #[cfg(not(Py_3_12))]
        // SAFETY: matches `enter`.
        unsafe {
            ffi::Py_LeaveRecursiveCall();
        }
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

/// Runs a recorded call. `None`: the function raised, and what it raised is in flight again.
///
/// What is on the stack while the function runs is kept small (recursion multiplies it):
/// all work is done in functions of their own.
fn run<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    arguments: &Arguments,
) -> Result<Option<Bound<'py, PyAny>>, Box<PyErr>> {
    let call = call::begin(py, site.core.get(), plan, site, || arguments.pack(py))?;
    let started = Start::now();
    let result = arguments.forward(site.function.as_ptr());
    conclude(py, plan, site, arguments, call, started, result)
}

/// The end of [`run`]: `result` is an owned reference, or null with an exception raised.
#[inline(never)]
fn conclude<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    arguments: &Arguments,
    call: Call,
    started: Start,
    result: *mut ffi::PyObject,
) -> Result<Option<Bound<'py, PyAny>>, Box<PyErr>> {
    let elapsed = started.elapsed();
    // SAFETY: see above.
    let result = unsafe { Bound::from_owned_ptr_or_opt(py, result) };
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
        return Err(error);
    }
    if let Some(raised) = raised {
        raised.restore(py);
    }
    Ok(result)
}

/// Queues what asynchronous handlers have to deliver; returns what must be raised.
#[cold]
fn settle(py: Python<'_>, plan: &Plan, outcome: Outcome<'_>) -> Option<Box<PyErr>> {
    let mut interrupted = outcome.interrupted;
    if let Some(deliveries) = outcome.deliveries {
        let queued =
            plan.profiler.bind(py).call_method1(intern!(py, "_queue_deliveries"), (deliveries,));
        if let Err(error) = queued {
            let what = "queueing for asynchronous handlers";
            interrupted = interrupted.or_else(|| call::failure(py, plan, what, error));
        }
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
) -> Result<Option<Bound<'py, PyAny>>, Box<PyErr>> {
    let (args, kwargs) = arguments.pack(py)?;
    let mut all = Vec::with_capacity(args.len() + 1);
    all.push(site.function.bind(py).clone());
    all.extend(args.iter());
    let steps = plan.profiler.bind(py).getattr(intern!(py, "profile_ext"))?;
    let args = PyTuple::new(py, all)?;
    Ok(Some(steps.call_method(runner, args, Some(&kwargs))?))
}
