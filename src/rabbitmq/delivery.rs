//! `Delivery`: a handler's way to RabbitMQ, as its Python half sees it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use phanos_delivery::runtime::{SharedRuntime, shared_runtime, wait_for_shutdown};
use phanos_delivery::{
    AmqpSettings, DropReason, LogLevel, Probe, Secret, Sender, Settings, SpoolSettings, TcpOptions,
    Tls, TlsFiles, exit, fork::ProcessLocal,
};

use crate::convert::unserializable::UnserializableKinds;
use crate::interp::gil_cell::GilCell;
use crate::metric::base::Metric;
use crate::metric::columns::Columns;
use crate::rabbitmq::enqueue::{self, Taken};
use crate::rabbitmq::pending_result::{PendingProbe, PendingResult};

/// The runtime of all deliveries, there while any of them is at work. Not the one of awaited
/// futures, whose tasks may wait for the interpreter: nothing that delivers ever does.
static RUNTIME: GilCell<SharedRuntime> = GilCell::new(None);

/// Set at the end of the interpreter: nothing is started any more.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The sender of the process that made it.
struct Working {
    sender: Arc<Sender>,
    /// The network side is at work, as far as known here.
    started: Cell<bool>,
}

#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct Delivery {
    settings: Settings,
    working: GilCell<ProcessLocal<Working>>,
}

impl Working {
    fn new(sender: Arc<Sender>) -> ProcessLocal<Self> {
        ProcessLocal::new(Self { sender, started: Cell::new(false) })
    }
}

impl Delivery {
    /// This process's sender; a forked child gets one of its own, with nothing in it.
    fn sender(&self, py: Python<'_>) -> Arc<Sender> {
        self.working.with(py, |working| {
            if let Some(ours) = working.get() {
                return Arc::clone(&ours.sender);
            }
            let fresh = Arc::new(Sender::new(self.settings.clone()));
            *working = Working::new(Arc::clone(&fresh));
            fresh
        })
    }

    fn note_started(&self, py: Python<'_>, started: bool) {
        self.working.with(py, |working| {
            if let Some(ours) = working.get() {
                ours.started.set(started);
            }
        });
    }

    fn started(&self, py: Python<'_>) -> PyResult<Arc<Sender>> {
        let sender = self.sender(py);
        start(py, &sender)?;
        self.note_started(py, true);
        Ok(sender)
    }

    /// The same, for records that were put down: those that come too late are counted.
    fn start_or_give_up(&self, py: Python<'_>, sender: &Sender) -> PyResult<()> {
        match self.started(py) {
            Err(_) if ENDED.load(Ordering::Relaxed) => {
                sender.drop_late_records();
                Ok(())
            }
            started => started.map(drop),
        }
    }

    /// Takes a metric's rows.
    pub(crate) fn push_columns(
        &self,
        py: Python<'_>,
        metric: &Metric,
        columns: &Columns,
        unserializable: &mut UnserializableKinds,
    ) -> PyResult<Taken> {
        let plain = enqueue::are_plain(columns);
        if plain && let Some(taken) = self.push_at_once(py, metric, columns) {
            return Ok(taken);
        }
        let head = metric.metadata.encoded(py, unserializable)?;
        let sender = self.sender(py);
        let taken = enqueue::push_converted(py, &sender, &head, columns, unserializable);
        self.start_or_give_up(py, &sender)?;
        Ok(taken)
    }

    /// The same for rows that need no conversion, once everything is at work: without the
    /// counts that shared things take (40 ns).
    fn push_at_once(&self, py: Python<'_>, metric: &Metric, columns: &Columns) -> Option<Taken> {
        metric.metadata.with_encoded(py, |head| {
            self.working.with(py, |working| {
                let ready = working.get().filter(|working| working.started.get())?;
                Some(enqueue::push_plain(&ready.sender, head, columns))
            })
        })?
    }
}

/// Starts the network side of `sender`, unless it runs.
fn start(py: Python<'_>, sender: &Sender) -> PyResult<()> {
    let started = sender.start(|| {
        if ENDED.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the interpreter is ending"));
        }
        RUNTIME.with(py, shared_runtime).map(|used| (used.handle.clone(), used))
    });
    started.map_err(|error| {
        PyOSError::new_err(format!("cannot start the background thread of phanos: {error}"))
    })
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{name} must be seconds >= 0, got {value}")))
}

/// The checked settings of a connection: attributes of `phanos._connection.ConnectionSettings`.
#[derive(FromPyObject)]
struct ConnectionSettings {
    host: String,
    port: u16,
    user: String,
    virtual_host: String,
    heartbeat: u16,
    blocked_connection_timeout: f64,
    connection_attempts: u32,
    retry_delay: f64,
    socket_timeout: f64,
    stack_timeout: f64,
    channel_max: Option<u16>,
    frame_max: Option<u32>,
    locale: String,
    client_properties: BTreeMap<String, String>,
    tcp_options: BTreeMap<String, u32>,
    ssl_options: Option<BTreeMap<String, String>>,
    exchange_name: String,
    exchange_type: String,
    buffer_bytes: usize,
    spool_directory: Option<PathBuf>,
    spool_bytes: u64,
    spool_adopt_s: f64,
}

#[pymethods]
impl Delivery {
    #[new]
    fn new(settings: ConnectionSettings, password: String) -> PyResult<Self> {
        let tls = settings.ssl_options.map(|mut options| {
            let mut file = |name| options.remove(name).map(PathBuf::from);
            let files = TlsFiles {
                ca: file("ca_file"),
                certificate: file("cert_file"),
                key: file("key_file"),
            };
            Tls::new(&files, options.remove("server_hostname"))
        });
        let tls = tls.transpose().map_err(|error| {
            PyValueError::new_err(format!("ssl_options cannot be honoured: {error}"))
        })?;
        let adopt_interval = seconds("spool_adopt_s", settings.spool_adopt_s)?;
        let spool = settings.spool_directory.map(|directory| SpoolSettings {
            directory,
            max_bytes: settings.spool_bytes,
            adopt_interval,
        });
        let tcp = |name| settings.tcp_options.get(name).copied();
        let tcp_duration = |name, unit: fn(u64) -> Duration| tcp(name).map(|n| unit(n.into()));
        let tcp = TcpOptions {
            user_timeout: tcp_duration("TCP_USER_TIMEOUT", Duration::from_millis),
            keep_idle: tcp_duration("TCP_KEEPIDLE", Duration::from_secs),
            keep_interval: tcp_duration("TCP_KEEPINTVL", Duration::from_secs),
            keep_count: tcp("TCP_KEEPCNT"),
        };
        let stack_timeout = seconds("stack_timeout", settings.stack_timeout)?;
        let connector = AmqpSettings {
            host: settings.host,
            port: settings.port,
            user: settings.user,
            password: Secret::new(password),
            virtual_host: settings.virtual_host,
            exchange: settings.exchange_name,
            exchange_type: settings.exchange_type,
            heartbeat_s: settings.heartbeat,
            socket_timeout: seconds("socket_timeout", settings.socket_timeout)?,
            stack_timeout,
            channel_max: settings.channel_max,
            frame_max: settings.frame_max,
            locale: settings.locale,
            client_properties: settings.client_properties.into_iter().collect(),
            tcp,
            tls,
        };
        let settings = Settings {
            connector: Arc::new(connector),
            blocked_timeout: seconds("timeout", settings.blocked_connection_timeout)?,
            answer_timeout: stack_timeout,
            attempts: settings.connection_attempts,
            retry_delay: seconds("retry_delay", settings.retry_delay)?,
            buffer_bytes: settings.buffer_bytes,
            spool,
        };
        let sender = Arc::new(Sender::new(settings.clone()));
        Ok(Self { settings, working: GilCell::new(Working::new(sender)) })
    }

    /// Tries the connection out, on threads that are gone afterwards.
    fn probe(&self, py: Python<'_>) -> PyResult<PendingProbe> {
        let settings = self.settings.clone();
        let probe = py.detach(|| Probe::start(settings));
        probe.map(PendingProbe::new).map_err(|error| {
            PyOSError::new_err(format!("cannot start the background thread of phanos: {error}"))
        })
    }

    /// Takes records as Python handlers get them; `logger` is told what JSON cannot hold.
    fn push(
        &self,
        py: Python<'_>,
        name: &str,
        records: &Bound<'_, PyAny>,
        logger: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let sender = self.sender(py);
        let mut unserializable = UnserializableKinds::default();
        enqueue::push_dicts(&sender, name, records, &mut unserializable)?;
        self.start_or_give_up(py, &sender)?;
        unserializable.log(py, Some(logger))
    }

    /// Sends the records as one message. `unsent_s`: how long they may wait for a
    /// connection; `sent_s`: how long for the broker's answer.
    fn publish(
        &self,
        py: Python<'_>,
        records: &Bound<'_, PyAny>,
        logger: &Bound<'_, PyAny>,
        unsent_s: f64,
        sent_s: f64,
    ) -> PyResult<PendingResult> {
        let mut unserializable = UnserializableKinds::default();
        let message = enqueue::Message::of_dicts(records, &mut unserializable)?;
        unserializable.log(py, Some(logger))?;
        let sender = self.started(py)?;
        let now = Instant::now();
        let unsent = now + seconds("unsent_s", unsent_s)?;
        let sent = now + seconds("sent_s", sent_s)?;
        let answer =
            sender.publish(&message.routing_key, message.records, message.body, unsent, sent);
        Ok(PendingResult::new(answer))
    }

    /// Starts the network side, if it is not at work; the result is True when it is connected, and
    /// False when an attempt to connect has failed.
    fn connect(&self, py: Python<'_>) -> PyResult<PendingResult> {
        Ok(PendingResult::new(self.started(py)?.connected()))
    }

    /// The answer is True when nothing handed over so far waits any longer.
    fn flush(&self, py: Python<'_>) -> PyResult<PendingResult> {
        let sender = self.sender(py);
        if !sender.is_started() && sender.is_buffer_empty() {
            return Ok(PendingResult::known(true));
        }
        start(py, &sender)?;
        Ok(PendingResult::new(sender.flush()))
    }

    /// Ends the network side; the answer comes when that is done.
    fn stop(&self, py: Python<'_>) -> PendingResult {
        self.note_started(py, false);
        self.sender(py)
            .stop()
            .map_or_else(|| PendingResult::known(true), |answer| PendingResult::new(Some(answer)))
    }

    /// What became of the records.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.sender(py).stats();
        let dropped = PyDict::new(py);
        for (reason, records) in stats.dropped {
            dropped.set_item(DropReason::name(reason), records)?;
        }
        let dict = PyDict::new(py);
        dict.set_item("state", stats.state.name())?;
        dict.set_item("queued", stats.queued)?;
        dict.set_item("in_flight", stats.in_flight)?;
        dict.set_item("confirmed", stats.confirmed)?;
        dict.set_item("messages", stats.messages)?;
        dict.set_item("returned", stats.returned)?;
        dict.set_item("retried", stats.retried)?;
        dict.set_item("nacked", stats.rejected)?;
        dict.set_item("adopted", stats.adopted)?;
        dict.set_item("spooled", stats.spooled)?;
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
    fn take_notices(&self, py: Python<'_>) -> Vec<(u8, String)> {
        let level = |level| match level {
            LogLevel::Info => 20,
            LogLevel::Warning => 30,
        };
        let notices = self.sender(py).take_log_lines();
        notices.into_iter().map(|notice| (level(notice.level), notice.text)).collect()
    }
}

/// From now on no delivery is started: records that come for one are given up and counted.
#[pyfunction]
pub(crate) fn refuse_deliveries() {
    ENDED.store(true, Ordering::Relaxed);
}

/// Waits up to `timeout_s` seconds until no delivery is at work, those whose handler is gone
/// included.
#[pyfunction]
pub(crate) fn end_deliveries(py: Python<'_>, timeout_s: f64) {
    let runtime = RUNTIME.replace(py, None);
    let patience = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::ZERO);
    py.detach(|| wait_for_shutdown(runtime, patience));
    exit::mark_delivered();
}
