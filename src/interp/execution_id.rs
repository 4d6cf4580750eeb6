//! Who runs: a thread, or one of the greenlets that share it.

use pyo3::intern;
use pyo3::prelude::*;

thread_local! {
    /// Its address tells live threads apart, at the price of one read; `thread::current`
    /// counts references.
    static MARK: u8 = const { 0 };
}

/// A number that no other live thread has. It may be used again after the thread ended, and
/// in a forked child.
pub(crate) fn current_thread() -> usize {
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

/// One flow of control. Other flows run while it is inside Python code.
#[derive(Clone, Copy)]
pub(crate) struct ExecutionId {
    thread: usize,
    /// Address of the greenlet; 0 as long as nobody imported `greenlet`.
    greenlet: usize,
}

impl ExecutionId {
    /// The one that runs now. Calls into Python.
    pub(crate) fn current(py: Python<'_>) -> Self {
        Self { thread: current_thread(), greenlet: greenlet(py).unwrap_or(0) }
    }

    /// True for the same flow. One that was seen before `greenlet` was imported stands for
    /// its whole thread.
    pub(crate) fn is(self, other: Self) -> bool {
        let same_greenlet =
            self.greenlet == other.greenlet || self.greenlet == 0 || other.greenlet == 0;
        self.thread == other.thread && same_greenlet
    }

    pub(crate) fn is_of_thread(self, thread: usize) -> bool {
        self.thread == thread
    }
}

fn greenlet(py: Python<'_>) -> Option<usize> {
    let modules = py.import(intern!(py, "sys")).ok()?.getattr(intern!(py, "modules")).ok()?;
    let module = modules.get_item(intern!(py, "greenlet")).ok()?;
    // Lives as long as it runs or waits to go on.
    let current = module.call_method0(intern!(py, "getcurrent")).ok()?;
    Some(current.as_ptr().addr())
}
