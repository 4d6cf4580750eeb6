//! `Delivery`: buffer, engine and spool of one handler or publisher, as its Python half sees them.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use phanos_delivery::runtime::{SharedRuntime, shared_runtime, wait_for_shutdown};
use phanos_delivery::{
    DropReason, LogLevel, Probe, Sender, Settings, check_spool, exit, fork::ProcessLocal,
};

use crate::convert::settled;
use crate::convert::text::string_of;
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::gil_cell::GilCell;
use crate::interp::panics::{contained, point};
use crate::metric::base::Metric;
use crate::metric::columns::Columns;
use crate::rabbitmq::connection_settings::{ConnectionSettings, seconds};
use crate::rabbitmq::enqueue::{self, Enqueued};
use crate::rabbitmq::pending_result::{PendingProbe, PendingResult};

/// The runtime of all engines, which ends with the last of them. Awaitables have another one: they
/// may wait for the interpreter, and an engine must not.
static RUNTIME: GilCell<SharedRuntime> = GilCell::new(None);

/// Set at the end of the interpreter: from then on no engine is started.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The sender of one process.
struct OwnSender {
    sender: Arc<Sender>,
    /// The engine was started and not stopped.
    started: Cell<bool>,
    /// The system refused a thread: until then no record tries to start the engine again.
    refused_until: Cell<Option<Instant>>,
}

/// Between two attempts of records to start the engine.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct Delivery {
    settings: Settings,
    own: GilCell<ProcessLocal<OwnSender>>,
}

impl OwnSender {
    fn new(sender: Arc<Sender>) -> ProcessLocal<Self> {
        let (started, refused_until) = (Cell::new(false), Cell::new(None));
        ProcessLocal::new(Self { sender, started, refused_until })
    }

    /// True if the engine runs.
    fn works(&self) -> bool {
        self.started.get() && !self.sender.is_abandoned()
    }
}

impl Delivery {
    /// The sender of this process: a forked child gets one of its own, which is empty.
    fn sender(&self, py: Python<'_>) -> Arc<Sender> {
        self.own.with(py, |own| {
            if let Some(ours) = own.get() {
                return Arc::clone(&ours.sender);
            }
            let mut settings = self.settings.clone();
            if let Some(connector) = settings.connector.for_child() {
                settings.connector = connector;
            }
            let fresh = Arc::new(Sender::new(settings));
            *own = OwnSender::new(Arc::clone(&fresh));
            fresh
        })
    }

    fn note_started(&self, py: Python<'_>, started: bool) {
        self.own.with(py, |own| {
            if let Some(ours) = own.get() {
                ours.started.set(started);
                ours.refused_until.set(None);
            }
        });
    }

    /// The sender of this process, with its engine running.
    fn started(&self, py: Python<'_>) -> io::Result<Arc<Sender>> {
        let sender = self.sender(py);
        start(py, &sender)?;
        self.note_started(py, true);
        Ok(sender)
    }

    /// The same for a caller that waits for the result.
    ///
    /// Errors: `OSError` if it cannot be started.
    fn started_for_caller(&self, py: Python<'_>) -> PyResult<Arc<Sender>> {
        let started = contained(py, STARTING, || self.started(py));
        started.unwrap_or_else(|| Err(io::Error::other("it panicked"))).map_err(|error| {
            self.sender(py).not_started(&error);
            cannot_start(&error)
        })
    }

    /// Starts the engine for records in the buffer. If the system refuses it a thread, they wait,
    /// and a later record tries again; at the end of the interpreter they are dropped and counted.
    fn start_for_records(&self, py: Python<'_>, sender: &Sender) {
        let now = Instant::now();
        let refused = self.own.with(py, |own| own.get().and_then(|ours| ours.refused_until.get()));
        if refused.is_some_and(|until| now < until) {
            return;
        }
        match contained(py, STARTING, || self.started(py)) {
            Some(Ok(_)) => {}
            _ if ENDED.load(Ordering::Relaxed) => sender.drop_late_records(),
            failed => {
                if let Some(Err(error)) = failed {
                    sender.not_started(&error);
                }
                self.own.with(py, |own| {
                    if let Some(ours) = own.get() {
                        ours.refused_until.set(Some(now + RETRY_INTERVAL));
                    }
                });
            }
        }
    }

    /// Starts nothing yet.
    ///
    /// Errors: `ValueError` if the spool's directory will not do.
    pub(crate) fn with(py: Python<'_>, settings: Settings) -> PyResult<Self> {
        let sender = Arc::new(Sender::new(settings.clone()));
        if let Some(spool) = &settings.spool {
            let warnings = py.detach(|| check_spool(spool)).map_err(|error| {
                PyValueError::new_err(format!("spool_directory will not do: {error}"))
            })?;
            for text in warnings {
                sender.warn(&format!("spool_directory {text}"));
            }
        }
        Ok(Self { settings, own: GilCell::new(OwnSender::new(sender)) })
    }

    /// Puts the rows of a metric into the buffer.
    pub(crate) fn push_columns(
        &self,
        py: Python<'_>,
        metric: &Metric,
        columns: &Columns,
        unserializable: &mut UnserializableKinds,
    ) -> PyResult<Enqueued> {
        let plain = enqueue::are_plain(columns);
        if plain && let Some(enqueued) = self.push_unconverted(py, metric, columns) {
            return Ok(enqueued);
        }
        let metadata = metric.metadata.encoded(py, unserializable)?;
        let sender = self.sender(py);
        let enqueued = enqueue::push_converted(py, &sender, &metadata, columns, unserializable);
        self.start_for_records(py, &sender);
        Ok(Enqueued { has_log_lines: sender.has_log_lines(), ..enqueued })
    }

    /// The same for rows that need no conversion, while the engine runs: cloning the shared sender
    /// and metadata would cost 40 ns more.
    fn push_unconverted(
        &self,
        py: Python<'_>,
        metric: &Metric,
        columns: &Columns,
    ) -> Option<Enqueued> {
        metric.metadata.with_encoded(py, |metadata| {
            self.own.with(py, |own| {
                let ready = own.get().filter(|own| own.works())?;
                Some(enqueue::push_plain(&ready.sender, metadata, columns))
            })
        })?
    }
}

/// Starts the engine of `sender`, unless it runs.
fn start(py: Python<'_>, sender: &Sender) -> io::Result<()> {
    sender.start(|| {
        point("start");
        if ENDED.load(Ordering::Relaxed) {
            return Err(io::Error::other("the interpreter is ending"));
        }
        RUNTIME.with(py, shared_runtime).map(|used| (used.handle().clone(), used))
    })
}

const STARTING: &str = "the start of the background thread";

fn cannot_start(error: &io::Error) -> PyErr {
    PyOSError::new_err(format!("cannot start the background thread of phanos: {error}"))
}

/// The result that `body` gives, or false if it panics.
fn result_of(py: Python<'_>, body: impl FnOnce() -> PendingResult) -> PendingResult {
    contained(py, "a request to the network side", body)
        .unwrap_or_else(|| PendingResult::known(false))
}

#[pymethods]
impl Delivery {
    #[new]
    fn new(py: Python<'_>, settings: ConnectionSettings, password: String) -> PyResult<Self> {
        Self::with(py, settings.into_native(password)?)
    }

    /// Makes a trial connection, on threads that are gone afterwards.
    fn probe(&self, py: Python<'_>) -> PyResult<PendingProbe> {
        let settings = self.settings.clone();
        let start = || {
            point("probe");
            py.detach(|| Probe::start(settings))
        };
        let started = contained(py, STARTING, start);
        let started = started.unwrap_or_else(|| Err(io::Error::other("it panicked")));
        started.map(PendingProbe::new).map_err(|error| cannot_start(&error))
    }

    /// Puts records that are dicts into the buffer; what JSON cannot hold is logged to `logger`.
    fn push(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        records: &Bound<'_, PyAny>,
        logger: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let push = || {
            point("push");
            let sender = self.sender(py);
            let mut unserializable = UnserializableKinds::default();
            enqueue::push_dicts(&sender, &string_of(name), records, &mut unserializable)?;
            self.start_for_records(py, &sender);
            settled::take_kinds(py, &mut unserializable);
            unserializable.log(py, Some(logger))
        };
        contained(py, "records for the network side", push).unwrap_or(Ok(()))
    }

    /// Sends the records as one message. `unsent_s`: seconds to wait for a connection; `sent_s`:
    /// seconds to wait for the confirmation.
    fn publish(
        &self,
        py: Python<'_>,
        records: &Bound<'_, PyAny>,
        logger: &Bound<'_, PyAny>,
        unsent_s: f64,
        sent_s: f64,
    ) -> PyResult<PendingResult> {
        let publish = || {
            point("publish");
            let mut unserializable = UnserializableKinds::default();
            let message = enqueue::Message::of_dicts(records, &mut unserializable)?;
            settled::take_kinds(py, &mut unserializable);
            unserializable.log(py, Some(logger))?;
            let sender = self.started_for_caller(py)?;
            let now = Instant::now();
            let unsent = now + seconds("unsent_s", unsent_s)?;
            let sent = now + seconds("sent_s", sent_s)?;
            let reply =
                sender.publish(&message.routing_key, message.records, message.body, unsent, sent);
            Ok(PendingResult::new(reply))
        };
        contained(py, "a message for the network side", publish)
            .unwrap_or_else(|| Ok(PendingResult::known(false)))
    }

    /// Starts the engine, unless it runs; the result is True when it is connected, and False when an
    /// attempt to connect has failed.
    fn connect(&self, py: Python<'_>) -> PyResult<PendingResult> {
        Ok(PendingResult::new(self.started_for_caller(py)?.connected()))
    }

    /// The result is True when every record handed over so far is confirmed or dropped, and False if
    /// the system refuses the network side a thread.
    fn flush(&self, py: Python<'_>) -> PendingResult {
        result_of(py, || {
            point("flush");
            let sender = self.sender(py);
            if !sender.is_started() && sender.is_empty() {
                return PendingResult::known(true);
            }
            match self.started(py) {
                Ok(_) => PendingResult::new(sender.flush()),
                Err(error) => {
                    sender.not_started(&error);
                    PendingResult::known(false)
                }
            }
        })
    }

    /// Ends the engine; the result is True if no record had to be dropped.
    fn stop(&self, py: Python<'_>) -> PendingResult {
        result_of(py, || {
            point("stop");
            self.note_started(py, false);
            let sender = self.sender(py);
            match sender.stop() {
                Some(reply) => PendingResult::new(Some(reply)),
                None => PendingResult::known(sender.drop_undelivered()),
            }
        })
    }

    /// At the end of the process: counts the records of an engine that did not end in time.
    fn give_up(&self, py: Python<'_>) {
        self.sender(py).give_up();
    }

    /// What became of the records; see `stats` of the handlers.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let sender = self.sender(py);
        // The network side may be in the middle of something that it counts as one.
        let stats = py.detach(|| sender.stats());
        let dropped = PyDict::new(py);
        for (reason, records) in stats.dropped {
            dropped.set_item(DropReason::name(reason), records)?;
        }
        let dict = PyDict::new(py);
        dict.set_item("state", stats.state.name())?;
        dict.set_item("handed_over", stats.handed_over)?;
        dict.set_item("queued", stats.queued)?;
        dict.set_item("in_flight", stats.in_flight)?;
        dict.set_item("confirmed", stats.confirmed)?;
        dict.set_item("messages", stats.messages)?;
        dict.set_item("returned", stats.returned)?;
        dict.set_item("retried", stats.retried)?;
        dict.set_item("nacked", stats.rejected)?;
        dict.set_item("adopted", stats.adopted)?;
        dict.set_item("spooled", stats.spooled)?;
        dict.set_item("left", stats.left)?;
        dict.set_item("dropped", dropped)?;
        dict.set_item("reconnects", stats.reconnects)?;
        dict.set_item("last_error", stats.last_error)?;
        dict.set_item("queue_age_s", stats.queue_age.as_secs_f64())?;
        Ok(dict)
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> &'static str {
        self.sender(py).state().name()
    }

    /// Lines to log: `(level of logging, text)`.
    fn take_log_lines(&self, py: Python<'_>) -> Vec<(u8, String)> {
        let level = |level| match level {
            LogLevel::Info => 20,
            LogLevel::Warning => 30,
        };
        let lines = self.sender(py).take_log_lines();
        lines.into_iter().map(|line| (level(line.level), line.text)).collect()
    }
}

/// From now on no engine is started: records that come later are dropped and counted.
#[pyfunction]
pub(crate) fn refuse_deliveries() {
    ENDED.store(true, Ordering::Relaxed);
}

/// Waits up to `timeout_s` seconds until no engine runs, also of handlers that are gone.
#[pyfunction]
pub(crate) fn end_deliveries(py: Python<'_>, timeout_s: f64) {
    let runtime = RUNTIME.replace(py, None);
    let timeout = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::ZERO);
    py.detach(|| wait_for_shutdown(runtime, timeout));
    exit::mark_delivered();
}
