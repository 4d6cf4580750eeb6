//! Results that come later from the network side, which knows nothing of Python.
//!
//! Threads wait for them with the interpreter lock released and Ctrl-C heard; coroutines await
//! them; a thread that greenlets share looks for them from time to time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tokio::time::timeout;

use phanos_delivery::flume::{Receiver, RecvTimeoutError};
use phanos_delivery::fork::ProcessLocal;
use phanos_delivery::{Failure, Probe};

use crate::interp::panics::{contained, point};
use crate::rabbitmq::awaitable::future_into_py;

const WAITING: &str = "waiting for the network side";

/// Between two looks for signals by a thread that waits.
const SIGNALS_INTERVAL: Duration = Duration::from_millis(20);

/// Waits up to `timeout` for a result of `look`, which waits for as long as it is told, and hears
/// signals meanwhile.
fn wait<T: Send>(
    py: Python<'_>,
    timeout: Duration,
    look: impl Fn(Duration) -> Option<T> + Send + Sync,
) -> PyResult<Option<T>> {
    let end = Instant::now() + timeout;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if let Some(result) = py.detach(|| look(left.min(SIGNALS_INTERVAL))) {
            return Ok(Some(result));
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

/// A boolean that the network side will set. In a forked child it is false: the network side is
/// the parent's.
#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct PendingResult {
    state: ProcessLocal<Mutex<State>>,
}

enum State {
    Pending(Receiver<bool>),
    Known(bool),
}

impl PendingResult {
    fn of(state: State) -> Self {
        Self { state: ProcessLocal::new(Mutex::new(state)) }
    }

    /// Without a receiver, where no network side runs, the result is false.
    pub(crate) fn new(receiver: Option<Receiver<bool>>) -> Self {
        Self::of(receiver.map_or(State::Known(false), State::Pending))
    }

    pub(crate) fn known(result: bool) -> Self {
        Self::of(State::Known(result))
    }

    fn look(&self, patience: Duration) -> Option<bool> {
        let Some(state) = self.state.get() else { return Some(false) };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = match &*state {
            State::Known(result) => return Some(*result),
            State::Pending(receiver) => receiver,
        };
        let result = match receiver.recv_timeout(patience) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => return None,
            // The network side ended without a result.
            Err(RecvTimeoutError::Disconnected) => false,
        };
        *state = State::Known(result);
        Some(result)
    }

    /// What is awaited: the receiver, or the result if it is known.
    fn awaited(&self) -> Result<Receiver<bool>, bool> {
        let Some(state) = self.state.get() else { return Err(false) };
        match &*state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Known(result) => Err(*result),
            State::Pending(receiver) => Ok(receiver.clone()),
        }
    }
}

#[pymethods]
impl PendingResult {
    /// The result, or None if there is none yet.
    fn poll(&self, py: Python<'_>) -> Option<bool> {
        let look = || {
            point("poll");
            self.look(Duration::ZERO)
        };
        contained(py, WAITING, look).unwrap_or(Some(false))
    }

    /// Waits up to `timeout_s` seconds for the result; None if there is none by then.
    fn wait(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<bool>> {
        let look = || {
            point("wait");
            wait(py, duration(timeout_s), |patience| self.look(patience))
        };
        contained(py, WAITING, look).unwrap_or(Ok(Some(false)))
    }

    /// An awaitable of the result, or of None if there is none after `timeout_s` seconds. To be
    /// used once, in place of `poll` and `wait`.
    ///
    /// Errors: `RuntimeError` where no asyncio loop runs, `OSError` if the system refuses a thread.
    fn wait_async<'py>(&self, py: Python<'py>, timeout_s: f64) -> PyResult<Bound<'py, PyAny>> {
        let awaited = self.awaited();
        let start = || {
            point("await");
            future_into_py(py, None, move |_| {
                Ok(async move {
                    let receiver = match awaited {
                        Ok(receiver) => receiver,
                        Err(result) => return Ok(Some(result)),
                    };
                    let result = timeout(duration(timeout_s), receiver.recv_async()).await;
                    Ok(result.ok().map(|result| result.unwrap_or(false)))
                })
            })
        };
        // Without an awaitable the result is looked for.
        contained(py, WAITING, start).unwrap_or_else(|| Err(PyOSError::new_err(WAITING)))
    }
}

/// The result of a trial connection. A forked child does not wait for that of its parent.
#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct PendingProbe {
    probe: ProcessLocal<Mutex<Option<Arc<Probe>>>>,
}

/// Why a trial connection failed: whether the broker itself said no, and the text. `None` if it
/// did not fail.
type ProbeFailure = Option<(bool, String)>;

fn failure_of(result: Result<(), Failure>) -> ProbeFailure {
    let failure = result.err()?;
    Some((matches!(failure, Failure::Refused(_)), failure.to_string()))
}

fn forked() -> (bool, String) {
    (false, "the process forked meanwhile".into())
}

impl PendingProbe {
    pub(crate) fn new(probe: Probe) -> Self {
        Self { probe: ProcessLocal::new(Mutex::new(Some(Arc::new(probe)))) }
    }

    /// Leaves nothing behind: the threads of a probe end when it is dropped.
    fn take(&self) -> Option<Arc<Probe>> {
        self.probe.get()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn look(&self, patience: Duration) -> Option<ProbeFailure> {
        let Some(probe) = self.probe.get() else { return Some(Some(forked())) };
        let mut probe = probe.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match probe.as_ref() {
            Some(probe) => probe.wait(patience)?,
            None => Ok(()),
        };
        drop(probe.take());
        Some(failure_of(result))
    }
}

#[pymethods]
impl PendingProbe {
    /// `(done, failure)`; failure is None or `(the broker said no, text)`.
    fn poll(&self, py: Python<'_>) -> (bool, ProbeFailure) {
        let seen = py.detach(|| self.look(Duration::ZERO));
        (seen.is_some(), seen.flatten())
    }

    /// Waits until it is done; returns the failure.
    fn wait(&self, py: Python<'_>) -> PyResult<ProbeFailure> {
        let waited = wait(py, Duration::MAX / 4, |patience| self.look(patience));
        if waited.is_err() {
            self.give_up(py);
        }
        waited.map(Option::flatten)
    }

    /// An awaitable of the failure. To be used once, in place of `poll` and `wait`; cancelling it
    /// ends the trial.
    ///
    /// Errors: as `PendingResult.wait_async`.
    fn wait_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        future_into_py(py, None, |_| {
            // Not before: without an awaitable the probe is looked for.
            let probe = self.take();
            Ok(async move {
                let Some(probe) = probe else { return Ok(Some(forked())) };
                let result = probe.result().await;
                // Until its threads have ended, which a fork could otherwise break.
                if let Some(probe) = Arc::into_inner(probe) {
                    probe.end().await;
                }
                Ok(failure_of(result))
            })
        })
    }

    /// Ends the trial, if it is under way.
    fn give_up(&self, py: Python<'_>) {
        let probe = self.take();
        py.detach(|| drop(probe));
    }
}
