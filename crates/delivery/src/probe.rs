//! Whether a broker is there and takes what a handler will send: tried out and taken down
//! again, so that nothing is running afterwards that a fork could trip over.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::failure::Failure;
use super::link::Link;
use super::settings::Settings;

/// For taking down what was tried out.
const PATIENCE: Duration = Duration::from_secs(1);

/// A probe under way, on threads of its own.
pub struct Probe {
    runtime: Option<Runtime>,
    answer: Receiver<Result<(), Failure>>,
}

impl Probe {
    /// Tries as often as the settings say; a broker that says no is not asked again.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("phanos-probe")
            .enable_all()
            .build()?;
        let (sender, answer) = sync_channel(1);
        runtime.spawn(async move {
            let _ = sender.try_send(attempt(&settings).await);
        });
        Ok(Self { runtime: Some(runtime), answer })
    }

    /// The answer, if there is one within `patience`.
    pub fn wait(&self, patience: Duration) -> Option<Result<(), Failure>> {
        use std::sync::mpsc::RecvTimeoutError;

        match self.answer.recv_timeout(patience) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err(Failure::Lost("the probe was given up".into())))
            }
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

async fn attempt(settings: &Settings) -> Result<(), Failure> {
    let mut left = settings.attempts.max(1);
    loop {
        left -= 1;
        match Link::open(settings).await {
            Ok(link) => {
                link.close_and_join(PATIENCE).await;
                return Ok(());
            }
            Err(failure @ Failure::Refused(_)) => return Err(failure),
            Err(failure) if left == 0 => return Err(failure),
            Err(_) => sleep(settings.retry_delay).await,
        }
    }
}
