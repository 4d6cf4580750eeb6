//! The Tokio runtimes of this process; no other module builds one.
//!
//! A runtime does not survive `fork`: its threads are gone, and its locks may be held by threads
//! that no longer exist. So a runtime belongs to one process, and a child builds its own. The
//! child leaves the inherited one alone and does not drop it either, since that would wait for
//! threads that do not exist.

use std::convert::Infallible;
use std::io;
use std::panic::catch_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::process::fork::ProcessLocal;

const THREAD_NAME: &str = "phanos";

/// A runtime with one thread.
///
/// # Errors
/// The system refuses a thread.
pub(crate) fn build(thread_name: &str) -> io::Result<Runtime> {
    let build = || {
        Builder::new_multi_thread().worker_threads(1).thread_name(thread_name).enable_all().build()
    };
    // Tokio panics where the system refuses the worker its thread.
    catch_unwind(build).unwrap_or_else(|_| Err(io::Error::other("the system refuses a thread")))
}

/// A runtime that, once it is started, runs until [`shut_down`].
pub type PersistentRuntime = Option<ProcessLocal<Runtime>>;

/// The handle of the runtime in `slot`, which is started unless this process has one.
///
/// # Errors
/// The system refuses a thread.
pub fn persistent_runtime(slot: &mut PersistentRuntime) -> io::Result<Handle> {
    if let Some(runtime) = slot.as_ref().and_then(ProcessLocal::get) {
        return Ok(runtime.handle().clone());
    }
    let runtime = build(THREAD_NAME)?;
    let handle = runtime.handle().clone();
    *slot = Some(ProcessLocal::new(runtime));
    Ok(handle)
}

/// Ends a runtime, waiting up to `timeout` for work that holds Python objects: after the
/// interpreter's end, a background thread that asks for the interpreter lock would be killed in
/// the middle of Rust code.
pub fn shut_down(slot: PersistentRuntime, timeout: Duration) {
    if let Some(runtime) = slot.and_then(ProcessLocal::into_inner) {
        runtime.shutdown_timeout(timeout);
    }
}

/// A runtime that ends when the last of its users is done with it.
pub type SharedRuntime = Option<ProcessLocal<SharedRuntimeWatch>>;

/// Knows a shared runtime without keeping it running.
pub struct SharedRuntimeWatch {
    user: Weak<SharedRuntimeUser>,
    /// Disconnected when the runtime ends.
    ended: Receiver<Infallible>,
}

/// Keeps a shared runtime running. Each user of the runtime holds one, and so does each task.
pub struct SharedRuntimeUser {
    pub handle: Handle,
    /// `Some` until this is dropped.
    runtime: Option<Runtime>,
    _until_ended: Sender<Infallible>,
}

impl Drop for SharedRuntimeUser {
    fn drop(&mut self) {
        // The last user may be a task of this very runtime, which cannot wait for its own end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A user of the runtime that `slot` watches, which is started unless this process has one.
///
/// # Errors
/// The system refuses a thread.
pub fn shared_runtime(slot: &mut SharedRuntime) -> io::Result<Arc<SharedRuntimeUser>> {
    let watch = slot.as_ref().and_then(ProcessLocal::get);
    if let Some(running) = watch.and_then(|watch| watch.user.upgrade()) {
        return Ok(running);
    }
    let (until_ended, ended) = channel();
    let runtime = build(THREAD_NAME)?;
    let user = Arc::new(SharedRuntimeUser {
        handle: runtime.handle().clone(),
        runtime: Some(runtime),
        _until_ended: until_ended,
    });
    let watch = SharedRuntimeWatch { user: Arc::downgrade(&user), ended };
    *slot = Some(ProcessLocal::new(watch));
    Ok(user)
}

/// Waits up to `timeout` until a shared runtime has no user any more.
pub fn wait_for_shutdown(slot: SharedRuntime, timeout: Duration) {
    if let Some(watch) = slot.as_ref().and_then(ProcessLocal::get) {
        // An error either way: the runtime has ended, or the time is up.
        let _ = watch.ended.recv_timeout(timeout);
    }
}
