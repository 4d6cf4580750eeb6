//! A Tokio runtime with one thread, which is ours and not Tokio's: Tokio panics where the system
//! refuses its own one, and does not tell when it has ended by a panic. That happens if the program
//! closes descriptors that are not its own (`os.closerange`).

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder as ThreadBuilder, JoinHandle};
use std::time::Duration;

use flume::{Receiver, RecvTimeoutError};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::process::leader;
use crate::process::thread::refused;
use crate::process::waking::Quiet;

/// How long blocking work may go on once the runtime ends; after that it is left alone.
const BLOCKING_TIMEOUT: Duration = Duration::from_secs(1);
/// The interval at which the thread looks whether it still gets events, if there are none: nothing
/// tells a thread that waits for them that the descriptor is closed from which they come.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A runtime that works in the background until it is ended or dropped.
pub struct BackgroundRuntime {
    handle: Handle,
    /// Its thread works until this is dropped.
    until: Option<oneshot::Sender<Infallible>>,
    works: Arc<AtomicBool>,
    /// Disconnected when nothing is left but the very end of the thread.
    ended: Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundRuntime {
    /// # Errors
    /// The system refuses a thread, or a descriptor.
    pub fn start(thread_name: &str) -> io::Result<Self> {
        let runtime =
            Builder::new_current_thread().thread_name(thread_name).enable_all().build()?;
        let handle = runtime.handle().clone();
        if leader::may_end() {
            runtime.spawn(Quiet::new(leader::watch()));
        }
        let (until, told) = oneshot::channel();
        let (until_ended, ended) = flume::bounded(0);
        let works = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&works);
        let body = move || {
            work(runtime, told, &still);
            drop(until_ended);
        };
        let thread = ThreadBuilder::new().name(thread_name.to_owned()).spawn(body);
        let thread = Some(thread.map_err(|error| refused(&error))?);
        Ok(Self { handle, until: Some(until), works, ended, thread })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// False once it has ended, by a panic or as it should.
    pub fn works(&self) -> bool {
        self.works.load(Ordering::Acquire)
    }

    /// Lets the thread end, which drops all tasks; does not wait.
    pub(crate) fn let_end(&mut self) {
        self.until = None;
    }

    /// Ends it; waits up to `limit` until its threads are gone.
    pub(crate) fn end(mut self, limit: Duration) {
        self.let_end();
        if matches!(self.ended.recv_timeout(limit), Err(RecvTimeoutError::Disconnected)) {
            self.join();
        }
    }

    /// As [`Self::end`], in a task of another runtime.
    pub async fn end_async(mut self, limit: Duration) {
        self.let_end();
        if timeout(limit, self.ended.recv_async()).await.is_ok() {
            self.join();
        }
    }

    /// To be called when nothing is left but the very end of the thread.
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Works on the tasks of `runtime` until `told`, or until the runtime panics.
fn work(runtime: Runtime, mut told: oneshot::Receiver<Infallible>, works: &AtomicBool) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(Quiet::new(async move {
            while timeout(LOOK_INTERVAL, &mut told).await.is_err() {}
        }));
    }));
    works.store(false, Ordering::Release);
    let _ = catch_unwind(AssertUnwindSafe(|| runtime.shutdown_timeout(BLOCKING_TIMEOUT)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn tasks_run_until_the_end_and_are_dropped_then() {
        let runtime = BackgroundRuntime::start("phanos-test").expect("a thread");
        let (sender, receiver) = flume::bounded(1);
        let (held, dropped) = flume::bounded::<()>(0);
        runtime.handle().spawn(async move {
            let _ = sender.send_async(1).await;
            std::future::pending::<()>().await;
            drop(held);
        });
        assert_eq!(receiver.recv_timeout(DEADLINE), Ok(1));
        assert!(runtime.works());
        runtime.end(DEADLINE);
        assert!(dropped.is_disconnected());
    }
}
