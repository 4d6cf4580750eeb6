//! The Tokio runtimes of this process: the only place that builds one, but for the probe of
//! a connection, which is gone before its caller goes on.
//!
//! A runtime does not survive `fork`: its threads are gone, its locks may be held by
//! nobody. So it belongs to a process, and a child builds its own; the inherited one is
//! left alone, not even dropped, since that would wait for threads that do not exist.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::fork::Ours;

fn build() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("phanos").enable_all().build()
}

/// A runtime that stays once it is started.
pub type Lasting = Option<Ours<Runtime>>;

/// The runtime in `slot`, started unless this process has one.
///
/// # Errors
/// The system refuses a thread.
pub fn lasting(slot: &mut Lasting) -> io::Result<Handle> {
    if let Some(runtime) = slot.as_ref().and_then(Ours::get) {
        return Ok(runtime.handle().clone());
    }
    let runtime = build()?;
    let handle = runtime.handle().clone();
    *slot = Some(Ours::new(runtime));
    Ok(handle)
}

/// Ends a runtime, waiting up to `patience` for work that holds Python objects: once the
/// interpreter ends, a thread of ours that asks for its lock would be killed in the middle
/// of Rust code.
pub fn end(slot: Lasting, patience: Duration) {
    if let Some(runtime) = slot.and_then(Ours::into_inner) {
        runtime.shutdown_timeout(patience);
    }
}

/// A runtime that ends with the last of its users.
pub type Passing = Option<Ours<Watched>>;

/// Watches a runtime without keeping it.
pub struct Watched {
    runtime: Weak<Used>,
    /// Closed when it ends.
    ended: Receiver<Infallible>,
}

/// A runtime in use. Who uses it holds one, its own tasks included.
pub struct Used {
    pub handle: Handle,
    /// There until the end.
    runtime: Option<Runtime>,
    _until_ended: Sender<Infallible>,
}

impl Drop for Used {
    fn drop(&mut self) {
        // The last user may be a task of its own, which cannot wait for itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The runtime that `slot` watches, started unless this process has one.
///
/// # Errors
/// The system refuses a thread.
pub fn passing(slot: &mut Passing) -> io::Result<Arc<Used>> {
    let known = slot.as_ref().and_then(Ours::get).and_then(|watched| watched.runtime.upgrade());
    if let Some(known) = known {
        return Ok(known);
    }
    let (until_ended, ended) = channel();
    let runtime = build()?;
    let used = Arc::new(Used {
        handle: runtime.handle().clone(),
        runtime: Some(runtime),
        _until_ended: until_ended,
    });
    *slot = Some(Ours::new(Watched { runtime: Arc::downgrade(&used), ended }));
    Ok(used)
}

/// Waits up to `patience` until the users of a runtime are done with it.
pub fn wait_for_end(slot: Passing, patience: Duration) {
    if let Some(watched) = slot.as_ref().and_then(Ours::get) {
        // An error either way: it has ended, or time is up.
        let _ = watched.ended.recv_timeout(patience);
    }
}
