//! Blocking work on a thread of its own. A system that refuses the thread is an error here, where
//! Tokio's own pool for such work would panic.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::process::waking::Quiet;

/// Between two attempts to have work done for which the system has refused a thread.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Does `work`, which may block, on a thread called `name`, which is gone afterwards. If the future
/// is dropped, the thread ends by itself.
///
/// # Errors
/// The system refuses a thread, or `work` panicked.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, result) = flume::bounded(1);
    let send = move || drop(sender.send(work()));
    let thread =
        Builder::new().name(name.to_owned()).spawn(send).map_err(|error| refused(&error))?;
    let result = result.recv_async().await;
    // A matter of microseconds: a fork finds no thread that is about to end.
    let _ = thread.join();
    result.map_err(|_| io::Error::other("phanos itself failed, please report it"))
}

/// What a system says that refuses a thread, in words that a user can act on.
pub(crate) fn refused(error: &io::Error) -> io::Error {
    let text = format!("the system refuses a thread (a limit of processes or of memory?): {error}");
    io::Error::new(error.kind(), text)
}

/// Has `work` done on a thread of Tokio's pool, as Tokio's function of this name does; while the
/// system refuses a thread, it waits for one.
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let (sender, result) = flume::bounded(1);
    let run = move || drop(sender.send(work()));
    // Where Tokio panics, the work is in its queue already: the pool's next thread does it.
    let mut waits =
        catch_unwind(AssertUnwindSafe(|| drop(tokio::task::spawn_blocking(run)))).is_err();
    tokio::spawn(Quiet::new(async move {
        loop {
            match timeout(RETRY_INTERVAL, result.recv_async()).await {
                Ok(Ok(value)) => return value,
                Ok(Err(_)) => panic!("blocking work panicked"),
                Err(_) if waits && Builder::new().name("phanos".into()).spawn(|| ()).is_ok() => {
                    let wake = || drop(tokio::task::spawn_blocking(|| ()));
                    waits = catch_unwind(AssertUnwindSafe(wake)).is_err();
                }
                Err(_) => {}
            }
        }
    }))
}
