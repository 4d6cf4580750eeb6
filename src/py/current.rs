//! Which node is current: a `ContextVar`, set when a call begins and put back when it ends.

#![allow(unsafe_code)]

use std::ptr;

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::cpython_context::{Layout, Seen, Thread};
use super::entry::known;
use super::node::Node;

pub(super) struct Current {
    variable: Py<PyAny>,
    /// `None` where the interpreter's is not known: then all goes through `ContextVar.reset`.
    layout: Option<Layout>,
}

/// What it takes to make current again what was before: kept by the node that is current.
pub(crate) struct Entered {
    /// Of `ContextVar.set`.
    token: Py<PyAny>,
    change: Option<Change>,
}

/// The variables of the context as they were, and as they are with the node.
struct Change {
    before: Py<PyAny>,
    /// Borrowed from it: what was current, or null.
    value: *mut ffi::PyObject,
    after: Py<PyAny>,
}

impl Entered {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.token)?;
        match &self.change {
            Some(Change { before, after, .. }) => {
                visit.call(before)?;
                visit.call(after)
            }
            None => Ok(()),
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
    pub(super) fn new(name: &std::ffi::CStr, root: &Bound<'_, Node>) -> PyResult<Self> {
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

    pub(super) fn variable(&self) -> &Py<PyAny> {
        &self.variable
    }

    /// True if what was before is put back, not set anew.
    pub(super) fn puts_back(&self) -> bool {
        self.layout.is_some()
    }

    pub(super) fn here<'py>(&self, py: Python<'py>) -> Here<'_, 'py> {
        Here { current: self, thread: self.layout.map(|layout| layout.thread(py)), py }
    }

    /// Makes `node` current for good; returns the token of `ContextVar.set`.
    pub(super) fn set<'py>(&self, node: &Bound<'py, Node>) -> PyResult<Bound<'py, PyAny>> {
        let py = node.py();
        let _paused = CollectorPaused::new(py);
        // SAFETY: both are valid objects; the token is an owned reference or null.
        unsafe {
            let token = ffi::PyContextVar_Set(self.variable.as_ptr(), node.as_ptr());
            Bound::from_owned_ptr_or_err(py, token)
        }
    }

    /// Makes current what was before. False if that was in another context than this one, or
    /// the node was left since.
    #[inline]
    pub(super) fn leave(&self, node: &Bound<'_, Node>) -> bool {
        let py = node.py();
        let Some(entered) = node.get().take_entered(py) else { return false };
        let token = entered.token.into_bound(py);
        let (Some(thread), Some(change)) = (self.here(py).thread, entered.change) else {
            return self.reset(&token);
        };
        let before = Seen { mapping: change.before.into_bound(py), value: change.value };
        let after = change.after.into_bound(py);
        match thread.put_back(self.variable.bind(py), before, &after) {
            Ok(_given_up) => true,
            // Other variables were set since, or a coroutine or generator goes on elsewhere.
            Err(before) => known(py, || {
                // What they were before may be gone with it.
                drop((before, after));
                self.reset(&token)
            }),
        }
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
    pub(super) fn py(self) -> Python<'py> {
        self.py
    }

    /// The current node; `None` if somebody set the variable to something else.
    #[inline]
    pub(super) fn node(self) -> PyResult<Option<Bound<'py, Node>>> {
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

    /// Makes `node` current until it is left; it has not been entered yet.
    #[inline]
    pub(crate) fn enter(self, node: &Bound<'py, Node>) -> PyResult<()> {
        let seen =
            || self.thread.and_then(|thread| thread.seen(self.current.variable.bind(self.py)));
        let before = seen();
        let token = self.current.set(node)?;
        let change = before.zip(seen()).map(|(before, after)| Change {
            before: before.mapping.unbind(),
            value: before.value,
            after: after.mapping.unbind(),
        });
        node.get().keep_entered(self.py, Entered { token: token.unbind(), change });
        Ok(())
    }
}
