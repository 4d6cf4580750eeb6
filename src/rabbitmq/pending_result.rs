//! Answers that come later from the network side. Python waits for them with the interpreter
//! lock given up and Ctrl-C heard, or looks for them from time to time; the network side
//! knows nothing of Python.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use phanos_delivery::Probe;
use phanos_delivery::flume::{Receiver, RecvTimeoutError};
use phanos_delivery::fork::ProcessLocal;

use crate::rabbitmq::delivery::told;

/// How often a thread that waits looks for signals.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits up to `timeout` for `look` to see something, hearing signals meanwhile.
fn wait<T: Send>(
    py: Python<'_>,
    timeout: Duration,
    look: impl Fn(Duration) -> Option<T> + Send + Sync,
) -> PyResult<Option<T>> {
    let end = Instant::now() + timeout;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if let Some(seen) = py.detach(|| look(left.min(LOOK_EVERY))) {
            return Ok(Some(seen));
        }
        py.check_signals()?;
        if left.is_zero() {
            return Ok(None);
        }
    }
}

fn duration(timeout_s: f64) -> Duration {
    Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

/// True or false, some time. In a forked child, to whose parent the answer goes, false.
#[pyclass(name = "PendingResult", module = "phanos._phanos", frozen)]
pub(crate) struct PendingResult(ProcessLocal<Mutex<Waiting>>);

enum Waiting {
    For(Receiver<bool>),
    Over(bool),
}

impl PendingResult {
    /// Without a receiver the answer is false: nobody is there to give one.
    pub(crate) fn new(receiver: Option<Receiver<bool>>) -> Self {
        Self(ProcessLocal::new(Mutex::new(receiver.map_or(Waiting::Over(false), Waiting::For))))
    }

    pub(crate) fn given(known: bool) -> Self {
        Self(ProcessLocal::new(Mutex::new(Waiting::Over(known))))
    }

    fn look(&self, patience: Duration) -> Option<bool> {
        let Some(waiting) = self.0.get() else { return Some(false) };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Waiting::For(receiver) = &*waiting {
            *waiting = Waiting::Over(match receiver.recv_timeout(patience) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => return None,
                // The network side ended without an answer.
                Err(RecvTimeoutError::Disconnected) => false,
            });
        }
        match *waiting {
            Waiting::For(_) => None,
            Waiting::Over(answer) => Some(answer),
        }
    }
}

#[pymethods]
impl PendingResult {
    /// The answer, or None if there is none yet.
    fn poll(&self) -> Option<bool> {
        self.look(Duration::ZERO)
    }

    /// Waits up to `timeout_s` seconds for the answer; None if there is none by then.
    fn wait(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<bool>> {
        wait(py, duration(timeout_s), |patience| self.look(patience))
    }
}

/// What came of a probe: nothing, or who is to blame and what went wrong. A forked child
/// does not wait for that of its parent.
#[pyclass(name = "PendingProbe", module = "phanos._phanos", frozen)]
pub(crate) struct PendingProbe(ProcessLocal<Mutex<Option<Probe>>>);

type Told = Option<(bool, String)>;

impl PendingProbe {
    pub(crate) fn new(probe: Probe) -> Self {
        Self(ProcessLocal::new(Mutex::new(Some(probe))))
    }

    fn look(&self, patience: Duration) -> Option<Told> {
        let Some(probe) = self.0.get() else {
            return Some(Some((false, "the process forked meanwhile".into())));
        };
        let mut probe = probe.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match probe.as_ref() {
            Some(waiting) => waiting.wait(patience)?,
            None => Ok(()),
        };
        // Ends its threads.
        drop(probe.take());
        Some(answer.err().map(told))
    }
}

#[pymethods]
impl PendingProbe {
    /// `(done, failure)`; failure is None or `(the broker said no, text)`.
    fn poll(&self, py: Python<'_>) -> (bool, Told) {
        let seen = py.detach(|| self.look(Duration::ZERO));
        (seen.is_some(), seen.flatten())
    }

    /// Waits until it is done; returns the failure.
    fn wait(&self, py: Python<'_>) -> PyResult<Told> {
        let waited = wait(py, Duration::MAX / 4, |patience| self.look(patience));
        if waited.is_err() {
            self.give_up(py);
        }
        waited.map(Option::flatten)
    }

    /// Ends the probe, if it is under way.
    fn give_up(&self, py: Python<'_>) {
        let Some(probe) = self.0.get() else { return };
        let probe = probe.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(probe));
    }
}
