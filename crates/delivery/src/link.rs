//! One connection to the broker with one channel, in confirm mode, and its exchange declared.
//!
//! lapin's own recovery stays off: it resends nothing, declares the exchange after it reports
//! success, and gives up after a number of attempts. A link that failed is replaced.

use std::future::Future;
use std::io;
use std::net::{Shutdown, TcpStream as StdStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_rs::Runtime;
use futures_util::{Stream, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::AsyncTcpStream;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, Event, ExchangeKind};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::failure::Failure;
use super::kit::{self, Kit};
use super::message::Envelope;
use super::settings::Settings;

pub(super) struct Link {
    connection: Connection,
    channel: Channel,
    _socket: Socket,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    exchange: ShortString,
}

impl Link {
    /// Connects, opens a channel, declares the exchange.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let (stream, socket) = connect(settings).await?;
        let patience = settings.stack_timeout;
        timeout(patience, Self::shake_hands(settings, stream, socket))
            .await
            .unwrap_or_else(|_| Err(Failure::timed_out("the handshake", settings, patience)))
    }

    async fn shake_hands(
        settings: &Settings,
        stream: TcpStream,
        socket: Socket,
    ) -> Result<Self, Failure> {
        let refused = |error: lapin::Error| Failure::of_opening(&error, settings);
        let stream = encrypted(settings, stream).await?;
        let connection = Connection::connector(
            uri(settings),
            Kit::current(),
            hand_out_once(stream),
            properties(settings),
        );
        let connection = connection.await.map_err(refused)?;
        let events = Box::pin(connection.events_listener());
        let channel = connection.create_channel().await.map_err(refused)?;
        let declared = channel.exchange_declare(
            settings.exchange.as_str().into(),
            kind(&settings.exchange_type),
            // Not durable and not auto-delete: as consumers that exist declare it.
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        );
        declared.await.map_err(refused)?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(refused)?;
        let exchange = settings.exchange.as_str().into();
        Ok(Self { connection, channel, _socket: socket, events, exchange })
    }

    /// Sends a message; resolves when the broker has answered for it.
    ///
    /// The message's place in the order is that of the first poll.
    pub(super) fn publish(
        &self,
        envelope: &Envelope,
        body: Arc<Vec<u8>>,
    ) -> impl Future<Output = lapin::Result<Confirmation>> + Send + 'static {
        let channel = self.channel.clone();
        let exchange = self.exchange.clone();
        let routing_key = envelope.short_routing_key();
        let properties = envelope.properties();
        // The broker returns what no queue gets, instead of losing it in silence.
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        async move {
            let confirm =
                channel.basic_publish(exchange, routing_key, options, &body, properties).await?;
            drop(body);
            confirm.await
        }
    }

    /// The next thing that happens to the connection; `None` once it is over.
    pub(super) async fn event(&mut self) -> Option<Event> {
        self.events.next().await
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Says goodbye to the broker, then ends whatever is left.
    pub(super) async fn close(self, patience: Duration) {
        let _ = timeout(patience, self.connection.close(200, "OK".into())).await;
    }

    /// The same, and waits for lapin's thread to end.
    pub(super) async fn close_and_join(self, patience: Duration) {
        let Self { connection, channel, _socket: socket, .. } = self;
        let _ = timeout(patience, connection.close(200, "OK".into())).await;
        drop((channel, socket));
        // What it failed with is of no interest any more.
        let joined = spawn_blocking(move || drop(connection.run()));
        let _ = timeout(patience, joined).await;
    }
}

/// The connection's socket once more. lapin's thread reads and writes it for as long as it
/// lives; shutting it down here is what ends that thread when the other side is silent.
struct Socket(StdStream);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

async fn connect(settings: &Settings) -> Result<(TcpStream, Socket), Failure> {
    let failed = |error: io::Error| Failure::Unreachable(format!("{}: {error}", settings.target()));
    let patience = settings.socket_timeout;
    let stream = timeout(patience, TcpStream::connect((settings.host.as_str(), settings.port)))
        .await
        .map_err(|_| Failure::timed_out("connecting", settings, patience))?
        .map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    keep_alive(settings, &stream).map_err(failed)?;
    let socket = stream.as_fd().try_clone_to_owned().map_err(failed)?;
    Ok((stream, Socket(socket.into())))
}

fn keep_alive(settings: &Settings, stream: &TcpStream) -> io::Result<()> {
    let given = &settings.tcp;
    let socket = SockRef::from(stream);
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = given.keep_idle {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = given.keep_interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = given.keep_count {
        keepalive = keepalive.with_retries(count);
    }
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    if given.user_timeout.is_some() {
        socket.set_tcp_user_timeout(given.user_timeout)?;
    }
    Ok(())
}

type Transport = AsyncTcpStream<kit::Socket>;

async fn encrypted(settings: &Settings, stream: TcpStream) -> Result<Transport, Failure> {
    let stream = AsyncTcpStream::Plain(kit::Socket(stream));
    let Some(tls) = &settings.tls else { return Ok(stream) };
    let name = tls.server_name.as_deref().unwrap_or(&settings.host);
    stream
        .into_rustls(&tls.connector, name)
        .await
        .map_err(|error| Failure::of_tls(&error, settings))
}

/// lapin asks for a stream each time it connects; it connects once.
fn hand_out_once(
    stream: Transport,
) -> impl AsyncFn(AMQPUri, Runtime<Kit>) -> lapin::Result<Transport> + Send + Sync + 'static {
    let slot = Mutex::new(Some(stream));
    async move |_, _| {
        let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    }
}

/// The largest frame in bytes, unless the user says. lapin keeps buffers of 32 frames in either
/// direction: with the broker's own 128 KiB a connection would take 8 MB, of every worker.
const FRAME_MAX: u32 = 16 * 1024;

fn uri(settings: &Settings) -> AMQPUri {
    AMQPUri {
        scheme: if settings.tls.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: settings.user.clone(),
                password: settings.password.reveal().to_owned(),
            },
            host: settings.host.clone(),
            port: settings.port,
        },
        vhost: settings.virtual_host.clone(),
        query: AMQPQueryString {
            frame_max: Some(settings.frame_max.unwrap_or(FRAME_MAX)),
            channel_max: settings.channel_max,
            heartbeat: Some(settings.heartbeat),
            ..Default::default()
        },
    }
}

fn properties(settings: &Settings) -> ConnectionProperties {
    let mut properties =
        ConnectionProperties::default().with_locale(settings.locale.as_str().into());
    for (name, value) in &settings.client_properties {
        properties = properties.with_client_property(name.as_str().into(), value.as_bytes().into());
    }
    properties
}

fn kind(name: &str) -> ExchangeKind {
    match name {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "headers" => ExchangeKind::Headers,
        "topic" => ExchangeKind::Topic,
        other => ExchangeKind::Custom(other.to_owned()),
    }
}
