//! The Tokio runtime of this process: the only place that builds one.
//!
//! A runtime does not survive `fork`: its threads are gone, its locks may be held by
//! nobody. So it belongs to a process id, and a child builds its own; the inherited one is
//! forgotten, not dropped, since dropping it would wait for threads that do not exist.

use std::io;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Runtime};

/// A runtime and the process it works in.
pub(crate) struct OfProcess {
    id: u32,
    runtime: OnceCell<Runtime>,
}

impl OfProcess {
    /// For the calling process; nothing is started yet.
    pub(crate) fn new() -> Self {
        Self { id: process::id(), runtime: OnceCell::new() }
    }

    /// False in a process forked off since.
    pub(crate) fn is_ours(&self) -> bool {
        self.id == process::id()
    }

    /// The runtime, started by the first call.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn runtime(&self) -> io::Result<&Runtime> {
        self.runtime.get_or_try_init(|| {
            Builder::new_multi_thread().worker_threads(1).thread_name("phanos").enable_all().build()
        })
    }
}

/// Ends the runtime in `slot`, waiting up to `patience` for work that holds Python objects:
/// once the interpreter ends, a thread of ours that asks for its lock would be killed in
/// the middle of Rust code.
pub(crate) fn end(slot: Option<Arc<OfProcess>>, patience: Duration) {
    let Some(ours) = slot else { return };
    if !ours.is_ours() {
        std::mem::forget(ours);
        return;
    }
    if let Some(runtime) = Arc::into_inner(ours).and_then(|ours| ours.runtime.into_inner()) {
        runtime.shutdown_timeout(patience);
    }
}

/// Replaces `slot` by a new one unless it is this process's.
pub(crate) fn of_this_process(slot: &mut Option<Arc<OfProcess>>) -> Arc<OfProcess> {
    if let Some(known) = slot
        && known.is_ours()
    {
        return Arc::clone(known);
    }
    let fresh = Arc::new(OfProcess::new());
    std::mem::forget(slot.replace(Arc::clone(&fresh)));
    fresh
}
