//! Values that several tests use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::amqp::settings::{AmqpSettings, Secret, TcpOptions};
use crate::link::envelope::Envelope;
use crate::messages::message::{Body, Message};
use crate::records::chunk::{Chunk, Content};
use crate::settings::SpoolSettings;
use phanos_core::path::TextSlot;
use phanos_core::record::{Metric, Operation};

pub(super) fn metric(name: &str) -> Arc<Metric> {
    Arc::new(Metric::new(name, "histogram", "mS", "JOB"))
}

pub(super) fn number(number: f64) -> Content {
    Content::Number { operation: Operation::Observe, error_raised: Some(false), number }
}

/// Adds a number with context `A:root`.
pub(super) fn put(chunk: &mut Chunk, metric: &Arc<Metric>, value: f64) {
    let metric = chunk.metric(metric);
    let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
    chunk.push(metric, slot, number(value));
}

pub(super) fn envelope(id: &str, records: u32) -> Envelope {
    Envelope {
        id: id.into(),
        routing_key: "JOB".into(),
        metric: "time_profiler".into(),
        worker: "worker".into(),
        records,
    }
}

/// A message with a body of one number.
pub(super) fn message(sequence: u64) -> Message {
    Message {
        sequence,
        envelope: Arc::new(envelope(&format!("worker-{sequence}"), 1)),
        body: Body::Memory(Arc::new(format!("[{sequence}]").into_bytes())),
        record_number: Some(sequence),
        since: Instant::now(),
        attempts: 0,
        blames: 0,
        open: true,
        spooled: None,
        waiter: None,
    }
}

pub(super) fn spool_settings(directory: &Path) -> SpoolSettings {
    SpoolSettings {
        directory: directory.to_owned(),
        max_bytes: 1024 * 1024,
        adopt_interval: Duration::from_secs(10),
    }
}

pub(super) fn amqp_settings() -> AmqpSettings {
    AmqpSettings {
        host: "127.0.0.1".into(),
        port: 5672,
        others: Vec::new(),
        user: "guest".into(),
        password: Secret::new("do-not-write-this-down".into()),
        virtual_host: "/".into(),
        exchange: "profiling".into(),
        exchange_type: "fanout".into(),
        heartbeat_s: Some(47),
        socket_timeout: Duration::from_secs(10),
        stack_timeout: Duration::from_secs(15),
        channel_max: None,
        frame_max: None,
        locale: "en_US".into(),
        client_properties: Vec::new(),
        tcp: TcpOptions::default(),
        tls: None,
    }
}

/// A directory of one test, removed at its end.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// A path that nothing is at yet.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("phanos-spool-test-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
