//! Exchange, queue and binding, declared again and again: an exchange that was deleted and made
//! anew has lost its bindings, and no client is told.

use std::time::Duration;

use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};
use phanos_delivery::AmqpConnection;

use crate::amqp::message::WORKER_HEADER;
use crate::amqp::settings::{ConsumerSettings, QueueSettings};

/// Hashes a header of the message: all messages with one value of it go to the same queue.
const CELLS_TYPE: &str = "x-consistent-hash";
/// Of a binding to it, the share of the queue: the same for all.
const CELLS_WEIGHT: &str = "1";

/// Declares and binds on a channel of its own, which an error closes.
///
/// # Errors
/// What the broker says.
pub(crate) async fn declare(
    connection: &AmqpConnection,
    settings: &ConsumerSettings,
) -> Result<(), String> {
    let QueueSettings { name, routing_key, .. } = &settings.queue;
    let channel =
        connection.channel(&settings.broker).await.map_err(|failure| failure.to_string())?;
    let failed = |error: lapin::Error| format!("queue {name:?}: {error}");
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared =
        channel.queue_declare(name.as_str().into(), options, arguments(&settings.queue)).await;
    declared.map_err(failed)?;
    let mut source = (&*settings.broker.exchange, &**routing_key);
    if let Some(cells) = &settings.queue.cells {
        let declared = declare_cells(&channel, cells, source).await;
        declared.map_err(|error| format!("cells {cells:?}: {error}"))?;
        source = (cells, CELLS_WEIGHT);
    }
    let bound = channel.queue_bind(
        name.as_str().into(),
        source.0.into(),
        source.1.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.map_err(failed)?;
    channel.close(200, "OK".into()).await.map_err(failed)
}

/// Puts an exchange behind that of the senders which shares messages out by worker.
async fn declare_cells(
    channel: &Channel,
    cells: &str,
    (exchange, routing_key): (&str, &str),
) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    let header = AMQPValue::LongString(LongString::from(WORKER_HEADER.as_bytes()));
    arguments.insert("hash-header".into(), header);
    let kind = ExchangeKind::Custom(CELLS_TYPE.into());
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(cells.into(), kind, options, arguments).await?;
    let (options, arguments) = (ExchangeBindOptions::default(), FieldTable::default());
    channel
        .exchange_bind(cells.into(), exchange.into(), routing_key.into(), options, arguments)
        .await
}

fn arguments(queue: &QueueSettings) -> FieldTable {
    let text = |text: &str| AMQPValue::LongString(LongString::from(text.as_bytes()));
    let number = |number: u64| AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX));
    let expires = u64::try_from(queue.expires.as_millis()).unwrap_or(u64::MAX);
    let mut arguments = FieldTable::default();
    let mut add = |name: &str, value| {
        arguments.insert(ShortString::from(name), value);
    };
    add("x-queue-type", text(&queue.kind));
    if queue.expires > Duration::ZERO {
        add("x-expires", number(expires));
    }
    if queue.max_bytes > 0 {
        add("x-max-length-bytes", number(queue.max_bytes));
        add("x-overflow", text(queue.overflow.name()));
    }
    if queue.single_active {
        add("x-single-active-consumer", AMQPValue::Boolean(true));
    }
    arguments
}
