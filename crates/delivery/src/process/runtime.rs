//! The Tokio runtimes of this process; no other module starts one.
//!
//! A runtime does not survive `fork`: its thread is gone, and its locks may be held by threads
//! that no longer exist. So a runtime belongs to one process, and a child starts its own. The
//! child leaves the inherited one alone and does not drop it either.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flume::Receiver;
use tokio::runtime::Handle;

use crate::process::background::BackgroundRuntime;
use crate::process::fork::ProcessLocal;

const THREAD_NAME: &str = "phanos";

/// A runtime that, once it is started, runs until [`shut_down`].
pub type PersistentRuntime = Option<ProcessLocal<BackgroundRuntime>>;

/// The handle of the runtime in `slot`, which is started unless this process has one that works.
///
/// # Errors
/// The system refuses a thread, or a descriptor.
pub fn persistent_runtime(slot: &mut PersistentRuntime) -> io::Result<Handle> {
    let working = slot.as_ref().and_then(ProcessLocal::get).filter(|runtime| runtime.works());
    if let Some(runtime) = working {
        return Ok(runtime.handle().clone());
    }
    let runtime = BackgroundRuntime::start(THREAD_NAME)?;
    let handle = runtime.handle().clone();
    *slot = Some(ProcessLocal::new(runtime));
    Ok(handle)
}

/// Ends a runtime, waiting up to `timeout` for work that holds Python objects: after the
/// interpreter's end, a background thread that asks for the interpreter lock would be killed in
/// the middle of Rust code.
pub fn shut_down(slot: PersistentRuntime, timeout: Duration) {
    if let Some(runtime) = slot.and_then(ProcessLocal::into_inner) {
        runtime.end(timeout);
    }
}

/// A runtime that ends when the last of its users is done with it.
pub type SharedRuntime = Option<ProcessLocal<SharedRuntimeWatch>>;

/// Knows a shared runtime without keeping it running.
pub struct SharedRuntimeWatch {
    user: Weak<SharedRuntimeUser>,
    /// Disconnected when the runtime has no user any more.
    unused: Receiver<()>,
}

/// Keeps a shared runtime running. Each user of the runtime holds one, and so does each task. The
/// last one may be a task of this very runtime: dropping it waits for nothing.
pub struct SharedRuntimeUser {
    runtime: BackgroundRuntime,
    _in_use: flume::Sender<()>,
}

impl SharedRuntimeUser {
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }
}

/// A user of the runtime that `slot` watches, which is started unless this process has one that
/// works.
///
/// # Errors
/// The system refuses a thread, or a descriptor.
pub fn shared_runtime(slot: &mut SharedRuntime) -> io::Result<Arc<SharedRuntimeUser>> {
    let watch = slot.as_ref().and_then(ProcessLocal::get);
    let running = watch.and_then(|watch| watch.user.upgrade());
    if let Some(running) = running.filter(|user| user.runtime.works()) {
        return Ok(running);
    }
    let (in_use, unused) = flume::bounded(0);
    let runtime = BackgroundRuntime::start(THREAD_NAME)?;
    let user = Arc::new(SharedRuntimeUser { runtime, _in_use: in_use });
    let watch = SharedRuntimeWatch { user: Arc::downgrade(&user), unused };
    *slot = Some(ProcessLocal::new(watch));
    Ok(user)
}

/// Waits up to `timeout` until a shared runtime has no user any more.
pub fn wait_for_shutdown(slot: SharedRuntime, timeout: Duration) {
    if let Some(watch) = slot.as_ref().and_then(ProcessLocal::get) {
        // An error either way: the last user is gone, or the time is up.
        let _ = watch.unused.recv_timeout(timeout);
    }
}
