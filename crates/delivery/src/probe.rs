//! Whether a receiver is there and takes what a handler will send: a link is opened and closed
//! again, so that afterwards no thread is running that a fork could break.

use std::time::Duration;

use flume::{Receiver, RecvTimeoutError};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::link::failure::Failure;
use crate::process::background::BackgroundRuntime;
use crate::process::waking::Quiet;
use crate::settings::Settings;

/// How long closing the link, and then its threads, may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the end of the probe's own threads may take.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A probe under way, on threads of its own, which end when it is dropped.
pub struct Probe {
    runtime: Option<BackgroundRuntime>,
    result: Receiver<Result<(), Failure>>,
}

impl Probe {
    /// Tries as often as `settings.attempts` says, but only once if the receiver refuses.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let runtime = BackgroundRuntime::start("phanos-probe")?;
        let (sender, result) = flume::bounded(1);
        runtime.handle().spawn(Quiet::new(async move {
            let _ = sender.try_send(attempt(&settings).await);
        }));
        Ok(Self { runtime: Some(runtime), result })
    }

    /// The result, if it comes within `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<Result<(), Failure>> {
        match self.result.recv_timeout(timeout) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(given_up())),
        }
    }

    /// The result, when it comes. Each result is given once, by this or by [`Self::wait`].
    pub async fn result(&self) -> Result<(), Failure> {
        self.result.recv_async().await.unwrap_or_else(|_| Err(given_up()))
    }

    /// Ends the probe's own threads, in a task.
    pub async fn end(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.end_async(END_TIMEOUT).await;
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // A task must not wait for threads: it calls `end`, or was cancelled.
        if Handle::try_current().is_err() {
            runtime.end(END_TIMEOUT);
        }
    }
}

fn given_up() -> Failure {
    Failure::Lost("the probe was given up".into())
}

async fn attempt(settings: &Settings) -> Result<(), Failure> {
    let mut left = settings.attempts.max(1);
    loop {
        left -= 1;
        match settings.connector.open().await {
            Ok(link) => {
                link.close_and_join(CLOSE_TIMEOUT).await;
                return Ok(());
            }
            Err(failure @ Failure::Refused(_)) => return Err(failure),
            Err(failure) if left == 0 => return Err(failure),
            Err(_) => sleep(settings.retry_delay).await,
        }
    }
}
