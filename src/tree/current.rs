//! Which node is current: a `ContextVar`, set when a call begins and put back when it ends.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::interp::entry::known;
use crate::interp::gil_cell::GilValue;
use crate::interp::user_code;
use crate::tree::cpython_context::{Layout, Seen, Thread};
use crate::tree::node::Node;

pub(crate) struct Current {
    variable: Py<PyAny>,
    /// `None` where the interpreter's is not known: then all goes through `ContextVar.reset`.
    layout: Option<Layout>,
}

/// What it takes to make current again what was before; empty where nothing is to be left.
///
/// Kept by whoever runs the call, and written where it stays, part by part: a value that is
/// written in parts and copied as a whole at once makes the processor wait (10 to 25 ns of
/// each call).
#[derive(Default)]
pub(crate) struct Entered {
    /// Of `ContextVar.set`.
    token: GilValue<Option<Py<PyAny>>>,
    /// The variables of the context as they were; `None` if they are not known.
    before: GilValue<Option<Py<PyAny>>>,
    /// Borrowed from these: what was current, if that is known.
    value: GilValue<Option<NonNull<ffi::PyObject>>>,
    /// The variables as they are with the node.
    after: GilValue<Option<Py<PyAny>>>,
}

impl Entered {
    pub(crate) fn is_empty(&self, py: Python<'_>) -> bool {
        !self.token.is_some(py)
    }

    /// # Safety
    /// The calling thread holds the interpreter lock.
    pub(crate) unsafe fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: as the caller promises.
        unsafe {
            self.token.visit(visit)?;
            self.before.visit(visit)?;
            self.after.visit(visit)
        }
    }

    /// Lets go of it: nothing is to be left any more. Runs code of users.
    pub(crate) fn release(&self, py: Python<'_>) {
        for part in [&self.token, &self.before, &self.after] {
            if let Some(part) = part.take(py) {
                user_code::release(part.into_bound(py));
            }
        }
    }
}

/// Keeps the garbage collector from running.
///
/// Up to CPython 3.11 any allocation can run it. Inside `ContextVar.set` a finalizer that
/// sets a variable itself then frees the mapping that is being changed, and the interpreter
/// crashes; a finalizer that calls a profiled function is enough. From 3.12 on it only runs
/// between instructions.
struct CollectorPaused {
    #[cfg(not(Py_3_12))]
    was_enabled: bool,
}

impl CollectorPaused {
    fn new(_py: Python<'_>) -> Self {
        #[cfg(not(Py_3_12))]
        // SAFETY: the interpreter lock is held.
        let was_enabled = unsafe { ffi::PyGC_Disable() } != 0;
        Self {
            #[cfg(not(Py_3_12))]
            was_enabled,
        }
    }
}

impl Drop for CollectorPaused {
    fn drop(&mut self) {
        #[cfg(not(Py_3_12))]
        if self.was_enabled {
            // SAFETY: the interpreter lock is held: made and dropped within one call.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

impl Current {
    /// A new variable called `name`, which is `root` where nothing is current.
    pub(crate) fn new(name: &std::ffi::CStr, root: &Bound<'_, Node>) -> PyResult<Self> {
        let py = root.py();
        // SAFETY: the name is copied; `root` is a valid object; the result owned or null.
        let variable = unsafe {
            let variable = ffi::PyContextVar_New(name.as_ptr(), root.as_ptr());
            Bound::from_owned_ptr_or_err(py, variable)?
        };
        let _paused = CollectorPaused::new(py);
        let layout = Layout::checked(&variable);
        Ok(Self { variable: variable.unbind(), layout })
    }

    pub(crate) fn variable(&self) -> &Py<PyAny> {
        &self.variable
    }

    /// True if what was before is put back, not set anew.
    pub(crate) fn puts_back(&self) -> bool {
        self.layout.is_some()
    }

    pub(crate) fn here<'py>(&self, py: Python<'py>) -> Here<'_, 'py> {
        Here { current: self, thread: self.layout.map(|layout| Thread::running(layout, py)), py }
    }

    /// Makes `node` current for good; returns the token of `ContextVar.set`.
    pub(crate) fn set<'py>(&self, node: &Bound<'py, Node>) -> PyResult<Bound<'py, PyAny>> {
        let py = node.py();
        let _paused = CollectorPaused::new(py);
        // SAFETY: both are valid objects; the token is an owned reference or null.
        unsafe {
            let token = ffi::PyContextVar_Set(self.variable.as_ptr(), node.as_ptr());
            Bound::from_owned_ptr_or_err(py, token)
        }
    }

    /// Makes current what was before `node` was entered. False if that was in another context
    /// than this one, or it was left since.
    #[inline]
    pub(crate) fn leave(&self, node: &Bound<'_, Node>, entered: &Entered) -> bool {
        let py = node.py();
        let bound = |part: &GilValue<Option<Py<PyAny>>>| part.take(py).map(|it| it.into_bound(py));
        let Some(token) = bound(&entered.token) else { return false };
        let (before, after) = (bound(&entered.before), bound(&entered.after));
        let (Some(thread), Some(mapping), Some(after)) = (self.here(py).thread, before, after)
        else {
            return known(py, || self.leave_changed(node, &token));
        };
        let before = Seen { mapping, value: entered.value.get(py) };
        match thread.put_back(self.variable.bind(py), before, &after) {
            Ok(_given_up) => true,
            Err(before) => known(py, || {
                // Values that were replaced meanwhile may be gone with them.
                user_code::release(before.mapping);
                user_code::release(after);
                self.leave_changed(node, &token)
            }),
        }
    }

    /// The same where the context has changed: other variables were set since, other nodes
    /// entered and not left, or a coroutine or generator goes on elsewhere.
    #[inline(never)]
    fn leave_changed(&self, node: &Bound<'_, Node>, token: &Bound<'_, PyAny>) -> bool {
        let py = node.py();
        let current = || self.here(py).node().ok().flatten();
        if let Some(other) = current()
            && other.get().is_below(node)
        {
            // Calls that overlap without being nested, such as coroutines that are sent to by
            // turns. The other stays current, and must not put back a context that has this one:
            // so it finds a changed one, which setting the same value again would not make.
            node.get().pass_over(py);
            drop((self.set(node), self.set(&other)));
            return true;
        }
        if !self.reset(token) {
            return false;
        }
        let mut passed = current();
        while let Some(node) = passed.take_if(|node| node.get().is_passed_over(py)) {
            let Some(above) = node.get().above(py) else { break };
            let above = above.into_bound(py);
            drop(self.set(&above));
            passed = Some(above);
        }
        true
    }

    fn reset(&self, token: &Bound<'_, PyAny>) -> bool {
        let _paused = CollectorPaused::new(token.py());
        // SAFETY: both are valid objects.
        unsafe {
            let reset = ffi::PyContextVar_Reset(self.variable.as_ptr(), token.as_ptr()) == 0;
            if !reset {
                ffi::PyErr_Clear();
            }
            reset
        }
    }
}

/// Which node is current on the running thread.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a, 'py> {
    current: &'a Current,
    thread: Option<Thread<'py>>,
    py: Python<'py>,
}

impl<'py> Here<'_, 'py> {
    pub(crate) fn py(self) -> Python<'py> {
        self.py
    }

    /// The current node; `None` if somebody set the variable to something else.
    #[inline]
    pub(crate) fn node(self) -> PyResult<Option<Bound<'py, Node>>> {
        let cached =
            self.thread.and_then(|thread| thread.cached(self.current.variable.bind(self.py)));
        let found = match cached {
            Some(found) => Some(found),
            None => self.looked_up()?,
        };
        Ok(found.and_then(|found| found.cast_into::<Node>().ok()))
    }

    fn looked_up(self) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut found = ptr::null_mut();
        // SAFETY: `variable` is a ContextVar; `found` gets an owned reference or null.
        unsafe {
            let variable = self.current.variable.as_ptr();
            if ffi::PyContextVar_Get(variable, ptr::null_mut(), &raw mut found) < 0 {
                return Err(PyErr::fetch(self.py));
            }
            Ok(Bound::from_owned_ptr_or_opt(self.py, found))
        }
    }

    /// Makes `node` current; `entered`, which is empty, gets what it takes to leave it.
    #[inline]
    pub(crate) fn enter(self, node: &Bound<'py, Node>, entered: &Entered) -> PyResult<()> {
        let seen =
            || self.thread.and_then(|thread| thread.seen(self.current.variable.bind(self.py)));
        let before = seen();
        let token = self.current.set(node)?;
        let after = seen();
        debug_assert!(entered.is_empty(self.py), "entered twice");
        entered.token.set(self.py, Some(token.unbind()));
        if let (Some(before), Some(after)) = (before, after) {
            entered.before.set(self.py, Some(before.mapping.unbind()));
            entered.value.set(self.py, before.value);
            entered.after.set(self.py, Some(after.mapping.unbind()));
        }
        Ok(())
    }
}
