//! Identity of the running flow of control: a thread, or one of the greenlets that share it.

use pyo3::prelude::*;

use crate::interp::once::intern;

thread_local! {
    /// Its address identifies the thread, at the price of one read; `thread::current` would
    /// count references.
    static THREAD_MARK: u8 = const { 0 };
}

/// A number that no other live thread has. A later thread may get it again after this one has
/// ended, and so may a thread of a forked child.
pub(crate) fn current_thread() -> usize {
    THREAD_MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

/// One flow of control. Others run while it is inside Python code.
#[derive(Clone, Copy)]
pub(crate) struct ExecutionId {
    thread: usize,
    /// Address of the greenlet; 0 as long as `greenlet` is not imported.
    greenlet: usize,
}

impl ExecutionId {
    /// The flow that is running. Calls into Python.
    pub(crate) fn current(py: Python<'_>) -> Self {
        Self { thread: current_thread(), greenlet: current_greenlet(py).unwrap_or(0) }
    }

    /// True for the same flow. An id made before `greenlet` was imported matches its whole
    /// thread, so this is no equivalence and the type has no `==`.
    pub(crate) fn matches(self, other: Self) -> bool {
        let same_greenlet =
            self.greenlet == other.greenlet || self.greenlet == 0 || other.greenlet == 0;
        self.thread == other.thread && same_greenlet
    }

    pub(crate) fn is_of_thread(self, thread: usize) -> bool {
        self.thread == thread
    }
}

/// The address of the running greenlet; `None` if `greenlet` is not imported.
fn current_greenlet(py: Python<'_>) -> Option<usize> {
    let modules = py.import(intern!(py, "sys")).ok()?.getattr(intern!(py, "modules")).ok()?;
    let module = modules.get_item(intern!(py, "greenlet")).ok()?;
    // It lives at least until it has ended, so its address stays unique meanwhile.
    let current = module.call_method0(intern!(py, "getcurrent")).ok()?;
    Some(current.as_ptr().addr())
}
