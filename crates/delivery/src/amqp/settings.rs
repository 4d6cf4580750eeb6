//! Where the broker is, and how it is spoken to.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::amqp::tls::Tls;

/// A password: no form of printing shows it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Keep-alive of the TCP connection, as pika's `tcp_options` name it; `None` leaves the
/// system's own value.
#[derive(Clone, Debug, Default)]
pub struct TcpOptions {
    pub user_timeout: Option<Duration>,
    pub keep_idle: Option<Duration>,
    pub keep_interval: Option<Duration>,
    pub keep_count: Option<u32>,
}

/// A broker and an exchange; values were checked before they get here.
#[derive(Clone, Debug)]
pub struct AmqpSettings {
    pub host: String,
    pub port: u16,
    /// Hosts and ports that are tried in turn where the first cannot be reached.
    pub others: Vec<(String, u16)>,
    pub user: String,
    pub password: Secret,
    pub virtual_host: String,
    pub exchange: String,
    /// Exchange type: fanout, topic, ...
    pub exchange_type: String,
    /// 0 turns heartbeats off; `None` takes what the broker proposes.
    pub heartbeat_s: Option<u16>,
    /// For the TCP connection.
    pub socket_timeout: Duration,
    /// For TLS and AMQP handshakes together.
    pub stack_timeout: Duration,
    pub channel_max: Option<u16>,
    /// The largest frame in bytes.
    pub frame_max: Option<u32>,
    pub locale: String,
    /// What the client tells the broker about itself.
    pub client_properties: Vec<(String, String)>,
    pub tcp: TcpOptions,
    pub tls: Option<Tls>,
}

impl AmqpSettings {
    /// The broker, as errors and logs name it.
    pub(crate) fn broker(&self) -> String {
        let scheme = if self.tls.is_some() { "amqps" } else { "amqp" };
        let mut text = format!("{scheme}://{}:{}", self.host, self.port);
        for (host, port) in &self.others {
            // Writing to a String cannot fail.
            let _ = write!(text, ",{host}:{port}");
        }
        text
    }

    /// The settings of each host alone, in turn.
    pub(crate) fn each_host(&self) -> impl Iterator<Item = Self> + '_ {
        let first = (self.host.clone(), self.port);
        let hosts = std::iter::once(first).chain(self.others.iter().cloned());
        hosts.map(|(host, port)| Self { host, port, others: Vec::new(), ..self.clone() })
    }
}
