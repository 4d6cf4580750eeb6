//! Where a handler delivers to, and how patient it is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::tls::Tls;

/// A password: no form of printing shows it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Keep-alive of the TCP connection, as pika's `tcp_options` name it; `None` leaves the
/// system's own.
#[derive(Clone, Debug, Default)]
pub struct TcpOptions {
    pub user_timeout: Option<Duration>,
    pub keep_idle: Option<Duration>,
    pub keep_interval: Option<Duration>,
    pub keep_count: Option<u32>,
}

/// Everything needed to deliver, checked before it gets here.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub virtual_host: String,
    pub exchange: String,
    /// Exchange type: fanout, topic, ...
    pub exchange_type: String,
    /// Seconds; 0 turns heartbeats off.
    pub heartbeat: u16,
    /// How long the broker may block a connection before it is given up.
    pub blocked_timeout: Duration,
    /// Attempts of a probe, and of a publisher.
    pub attempts: u32,
    /// Between two attempts; also where backing off begins.
    pub retry_delay: Duration,
    /// For the TCP connection.
    pub socket_timeout: Duration,
    /// For TLS and AMQP handshakes together, and for a sign of life of messages sent.
    pub stack_timeout: Duration,
    pub channel_max: Option<u16>,
    pub frame_max: Option<u32>,
    pub locale: String,
    /// What the client tells the broker of itself.
    pub client_properties: Vec<(String, String)>,
    pub tcp: TcpOptions,
    pub tls: Option<Tls>,
    /// Memory for records that wait.
    pub buffer_bytes: usize,
    pub spool: Option<SpoolSettings>,
}

/// Where records wait that memory should not, or must not, hold.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    pub directory: PathBuf,
    /// Of all bodies; the file takes up to half as much again.
    pub max_bytes: u64,
    /// How often files of dead processes are looked for.
    pub adopt_every: Duration,
}

impl Settings {
    /// The broker, as errors and logs name it.
    pub fn target(&self) -> String {
        let scheme = if self.tls.is_some() { "amqps" } else { "amqp" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}
