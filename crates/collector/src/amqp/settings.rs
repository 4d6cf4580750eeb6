//! The broker, and the queue that is consumed.

use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use phanos_delivery::{AmqpSettings, Secret, TcpOptions, Tls, TlsFiles};

const DEFAULT_HEARTBEAT_S: u16 = 47;
const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);
const STACK_TIMEOUT: Duration = Duration::from_secs(15);
/// Larger than that of senders, since bodies of 256 KiB come in frames.
const FRAME_MAX: u32 = 128 * 1024;

/// What a queue does with messages for which it has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It refuses them: senders keep them for as long as they can.
    #[default]
    RejectPublish,
    /// It drops the oldest.
    DropHead,
}

impl Overflow {
    pub const ALL: [Self; 2] = [Self::RejectPublish, Self::DropHead];

    /// As RabbitMQ calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RejectPublish => "reject-publish",
            Self::DropHead => "drop-head",
        }
    }
}

/// A durable queue that is bound to the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    pub name: String,
    /// `x-queue-type`: classic or quorum.
    pub kind: String,
    /// `x-expires`: how long the queue stays without a consumer.
    pub expires: Duration,
    /// `x-max-length-bytes`.
    pub max_bytes: u64,
    /// `x-overflow`.
    pub overflow: Overflow,
    /// `x-single-active-consumer`: of several collectors one gets messages.
    pub single_active: bool,
    /// Bytes of messages that the broker may send before any is acknowledged.
    pub prefetch_bytes: u64,
    pub routing_key: String,
    /// An exchange between that of the senders and this queue, which shares messages out.
    pub cells: Option<String>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            name: "phanos-collector".into(),
            kind: "classic".into(),
            expires: Duration::from_secs(24 * 3600),
            max_bytes: 1 << 30,
            overflow: Overflow::default(),
            single_active: true,
            prefetch_bytes: 64 << 20,
            routing_key: "#".into(),
            cells: None,
        }
    }
}

/// Everything needed to consume.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    pub broker: AmqpSettings,
    pub queue: QueueSettings,
}

impl ConsumerSettings {
    /// Queue and broker as logs name them.
    pub(crate) fn address(&self) -> String {
        let broker = &self.broker;
        let scheme = if broker.tls.is_some() { "amqps" } else { "amqp" };
        format!("{scheme}://{}:{}, queue {:?}", broker.host, broker.port, self.queue.name)
    }
}

/// A broker by its URL, `amqp://user:password@host:port/virtual-host` or `amqps://...`, and the
/// exchange that senders publish to.
///
/// # Errors
/// What is wrong with the URL, without a password in it; or with a file.
pub fn broker(
    url: &str,
    exchange: &str,
    exchange_type: &str,
    files: &TlsFiles,
) -> Result<AmqpSettings, String> {
    let uri: AMQPUri = url.parse().map_err(|error| {
        format!("amqp-url is of another form than amqp://user:password@host:port/vhost: {error}")
    })?;
    if uri.authority.host.is_empty() {
        return Err("amqp-url names no host".into());
    }
    let has_files = [&files.ca, &files.certificate, &files.key].iter().any(|file| file.is_some());
    let tls = match uri.scheme {
        AMQPScheme::AMQPS => Some(Tls::new(files.clone(), None)?),
        AMQPScheme::AMQP if has_files => {
            return Err("certificates are given, and amqp-url does not begin with amqps://".into());
        }
        AMQPScheme::AMQP => None,
    };
    Ok(AmqpSettings {
        host: uri.authority.host,
        port: uri.authority.port,
        others: Vec::new(),
        user: uri.authority.userinfo.username,
        password: Secret::new(uri.authority.userinfo.password),
        virtual_host: uri.vhost,
        exchange: exchange.into(),
        exchange_type: exchange_type.into(),
        heartbeat_s: Some(uri.query.heartbeat.unwrap_or(DEFAULT_HEARTBEAT_S)),
        socket_timeout: SOCKET_TIMEOUT,
        stack_timeout: STACK_TIMEOUT,
        channel_max: None,
        frame_max: Some(uri.query.frame_max.unwrap_or(FRAME_MAX)),
        locale: "en_US".into(),
        client_properties: vec![("product".into(), "phanos collector".into())],
        tcp: TcpOptions::default(),
        tls,
    })
}
