//! One connection to the broker with one channel in confirm mode, and the exchange declared.
//!
//! lapin's own recovery stays off: it resends nothing, declares the exchange after it reports
//! success, and gives up after a number of attempts.

use std::io;
use std::net::{Shutdown, TcpStream as StdStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_rs::Runtime;
use futures_util::Stream;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::AsyncTcpStream;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, Event, ExchangeKind};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::amqp::dial::dial;
use crate::amqp::failure::{blames_message, of_opening, of_tls, of_use, timed_out};
use crate::amqp::lapin_runtime::{LapinRuntime, Socket};
use crate::amqp::properties::{properties, returned_message, routing_key};
use crate::amqp::settings::AmqpSettings;
use crate::link::envelope::Envelope;
use crate::link::failure::Failure;
use crate::link::{Answer, Connector, Link, LinkEvent, LinkFuture, Outcome, Wording};
use crate::process::thread::on_thread;

static WORDING: Wording = Wording {
    product: "RabbitMQ",
    receiver: "the broker",
    lost_route: "messages reach no queue any more",
    rejection_hint: "a full queue?",
    unroutable: "the broker took them and no queue got them: no consumer reads from the exchange",
    blamed: "the broker closes the channel over them",
    takes_turns: false,
};

impl Connector for AmqpSettings {
    fn open(&self) -> LinkFuture<'_, Result<Box<dyn Link>, Failure>> {
        Box::pin(async {
            let mut failures = Vec::new();
            for settings in self.each_host() {
                match AmqpLink::open(&settings).await {
                    Ok(link) => return Ok(Box::new(link) as Box<dyn Link>),
                    Err(Failure::Unreachable(text)) => failures.push(text),
                    Err(other) => return Err(other),
                }
            }
            Err(Failure::Unreachable(failures.join("; ")))
        })
    }

    fn address(&self) -> String {
        self.broker()
    }

    fn destination(&self) -> String {
        let port = self.port.to_string();
        let parts = [&self.host, &port, &self.virtual_host, &self.exchange];
        parts.map(|part| format!("{part}\0")).concat()
    }

    fn wording(&self) -> &'static Wording {
        &WORDING
    }
}

struct AmqpLink {
    connection: Connection,
    channel: Channel,
    _shutdown: ShutdownOnDrop,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    exchange: ShortString,
}

impl AmqpLink {
    /// Connects, opens a channel, declares the exchange.
    async fn open(settings: &AmqpSettings) -> Result<Self, Failure> {
        let (stream, shutdown) = connect(settings).await?;
        let limit = settings.stack_timeout;
        timeout(limit, Self::shake_hands(settings, stream, shutdown))
            .await
            .unwrap_or_else(|_| Err(timed_out("the handshake", settings, limit)))
    }

    async fn shake_hands(
        settings: &AmqpSettings,
        stream: TcpStream,
        shutdown: ShutdownOnDrop,
    ) -> Result<Self, Failure> {
        let failed = |error: lapin::Error| of_opening(&error, settings);
        let connection = introduce(settings, stream).await?;
        let events = Box::pin(connection.events_listener());
        let channel = connection.create_channel().await.map_err(failed)?;
        let declared = channel.exchange_declare(
            settings.exchange.as_str().into(),
            exchange_kind(&settings.exchange_type),
            // Not durable and not auto-delete: as existing consumers declare it.
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        );
        declared.await.map_err(failed)?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed)?;
        let exchange = settings.exchange.as_str().into();
        Ok(Self { connection, channel, _shutdown: shutdown, events, exchange })
    }
}

impl Link for AmqpLink {
    fn publish(
        &self,
        envelope: &Envelope,
        settled: Option<u64>,
        body: Arc<Vec<u8>>,
    ) -> LinkFuture<'static, Answer> {
        let channel = self.channel.clone();
        let exchange = self.exchange.clone();
        let routing_key = routing_key(envelope);
        let properties = properties(envelope, settled);
        // The broker returns a message that no queue gets, instead of losing it in silence.
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        Box::pin(async move {
            let sent =
                channel.basic_publish(exchange, routing_key, options, &body, properties).await;
            drop(body);
            answer(match sent {
                Ok(confirmation) => confirmation.await,
                Err(error) => Err(error),
            })
        })
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<LinkEvent> {
        loop {
            return Poll::Ready(match ready!(self.events.as_mut().poll_next(context)) {
                Some(Event::ConnectionBlocked(reason)) => LinkEvent::Blocked(reason),
                Some(Event::ConnectionUnblocked) => LinkEvent::Unblocked,
                Some(Event::Error(error)) => LinkEvent::Lost(of_use(&error)),
                Some(_) => continue,
                None => LinkEvent::Lost(Failure::Lost("connection closed".into())),
            });
        }
    }

    fn failure(&self) -> Option<Failure> {
        let is_open = self.connection.status().connected() && self.channel.status().connected();
        (!is_open).then(|| Failure::Lost("the channel was closed".into()))
    }

    fn close(self: Box<Self>, limit: Duration) -> LinkFuture<'static, ()> {
        Box::pin(async move {
            let _ = timeout(limit, self.connection.close(200, "OK".into())).await;
        })
    }

    fn close_and_join(self: Box<Self>, limit: Duration) -> LinkFuture<'static, ()> {
        Box::pin(async move {
            let Self { connection, channel, _shutdown: shutdown, .. } = *self;
            let _ = timeout(limit, connection.close(200, "OK".into())).await;
            drop((channel, shutdown));
            // The error that the connection may have ended with does not matter any more.
            let joined = on_thread("phanos-close", move || drop(connection.run()));
            let _ = timeout(limit, joined).await;
        })
    }
}

fn answer(result: lapin::Result<Confirmation>) -> Answer {
    let (outcome, returned) = match result {
        Ok(Confirmation::Ack(returned)) => (Outcome::Confirmed, returned),
        Ok(Confirmation::Nack(returned)) => (Outcome::Rejected, returned),
        Ok(Confirmation::NotRequested) => (Outcome::Confirmed, None),
        Err(error) => {
            let blames_message = blames_message(&error);
            (Outcome::Broken { failure: of_use(&error), blames_message }, None)
        }
    };
    Answer { outcome, returned: returned.map(|message| Box::new(returned_message(message))) }
}

/// The connection's socket once more. lapin's thread reads and writes it for as long as it
/// lives; shutting it down here is what ends that thread when the broker is silent.
pub(super) struct ShutdownOnDrop(StdStream);

impl Drop for ShutdownOnDrop {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

pub(super) async fn connect(
    settings: &AmqpSettings,
) -> Result<(TcpStream, ShutdownOnDrop), Failure> {
    let failed = |error: io::Error| Failure::Unreachable(format!("{}: {error}", settings.broker()));
    let stream = dial(&settings.host, settings.port, settings.socket_timeout).await;
    let stream = stream.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    keep_alive(settings, &stream).map_err(failed)?;
    let socket = stream.as_fd().try_clone_to_owned().map_err(failed)?;
    Ok((stream, ShutdownOnDrop(socket.into())))
}

fn keep_alive(settings: &AmqpSettings, stream: &TcpStream) -> io::Result<()> {
    let options = &settings.tcp;
    let socket = SockRef::from(stream);
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = options.keep_idle {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = options.keep_interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = options.keep_count {
        keepalive = keepalive.with_retries(count);
    }
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    if options.user_timeout.is_some() {
        socket.set_tcp_user_timeout(options.user_timeout)?;
    }
    Ok(())
}

/// Makes an AMQP connection of a TCP connection.
pub(super) async fn introduce(
    settings: &AmqpSettings,
    stream: TcpStream,
) -> Result<Connection, Failure> {
    let mut stream = encrypted(settings, stream).await?;
    if settings.heartbeat_s == Some(0) {
        stream = AsyncTcpStream::Plain(Socket::without_heartbeats(stream));
    }
    let connection = Connection::connector(
        uri(settings),
        LapinRuntime::current(),
        hand_out_once(stream),
        connection_properties(settings),
    );
    connection.await.map_err(|error| of_opening(&error, settings))
}

type Transport = AsyncTcpStream<Socket>;

async fn encrypted(settings: &AmqpSettings, stream: TcpStream) -> Result<Transport, Failure> {
    let stream = AsyncTcpStream::Plain(Socket::Tcp(stream));
    let Some(tls) = &settings.tls else { return Ok(stream) };
    let name = tls.server_name().unwrap_or(&settings.host);
    let (connector, complaint) = tls.connector().await;
    stream.into_rustls(&connector, name).await.map_err(|error| {
        let failure = of_tls(&error, settings);
        match complaint {
            Some(complaint) => failure.with(&complaint),
            None => failure,
        }
    })
}

/// What lapin calls to connect, which it does once: hands out the connected stream.
fn hand_out_once(
    stream: Transport,
) -> impl AsyncFn(AMQPUri, Runtime<LapinRuntime>) -> lapin::Result<Transport> + Send + Sync + 'static
{
    let slot = Mutex::new(Some(stream));
    async move |_, _| {
        let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    }
}

/// The largest frame in bytes, unless the user chooses. lapin keeps buffers of 32 frames in either
/// direction: with the broker's own 128 KiB, the connection of each worker would take 8 MB.
const FRAME_MAX: u32 = 16 * 1024;

fn uri(settings: &AmqpSettings) -> AMQPUri {
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
            heartbeat: settings.heartbeat_s,
            ..Default::default()
        },
    }
}

fn connection_properties(settings: &AmqpSettings) -> ConnectionProperties {
    let mut properties =
        ConnectionProperties::default().with_locale(settings.locale.as_str().into());
    for (name, value) in &settings.client_properties {
        properties = properties.with_client_property(name.as_str().into(), value.as_bytes().into());
    }
    properties
}

pub(super) fn exchange_kind(name: &str) -> ExchangeKind {
    match name {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "headers" => ExchangeKind::Headers,
        "topic" => ExchangeKind::Topic,
        other => ExchangeKind::Custom(other.to_owned()),
    }
}
