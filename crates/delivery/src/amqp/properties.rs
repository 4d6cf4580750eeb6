//! What a message looks like in AMQP: properties, headers, routing key; and a message that the
//! broker returned.

use lapin::BasicProperties;
use lapin::message::BasicReturnMessage;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::link::ReturnedMessage;
use crate::link::envelope::Envelope;

/// The header that names the metric.
const METRIC_HEADER: &str = "x-phanos-metric";
/// The header that names the process and handler that recorded.
const WORKER_HEADER: &str = "x-phanos-worker";

/// A durable queue keeps the message when the broker is killed, and confirms it when it is on disk.
/// Other queues make no difference.
const PERSISTENT: u8 = 2;

/// The header that says below which number no message of the worker will follow, so that consumers
/// that drop what comes twice need not wait for numbers that never come.
const SETTLED_HEADER: &str = "x-phanos-settled";

/// The limit of AMQP short strings, which routing keys are.
const SHORT_STRING_BYTES: usize = 255;

pub(super) fn properties(envelope: &Envelope, settled: Option<u64>) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in [(METRIC_HEADER, &envelope.metric), (WORKER_HEADER, &envelope.worker)] {
        let value = LongString::from(value.as_bytes());
        headers.insert(ShortString::from(name), AMQPValue::LongString(value));
    }
    if let Some(settled) = settled.and_then(|settled| i64::try_from(settled).ok()) {
        headers.insert(ShortString::from(SETTLED_HEADER), AMQPValue::LongLongInt(settled));
    }
    BasicProperties::default()
        .with_content_type(ShortString::from("application/json"))
        .with_delivery_mode(PERSISTENT)
        .with_message_id(ShortString::from(&*envelope.id))
        .with_headers(headers)
}

/// The routing key, cut where AMQP cannot carry more.
pub(super) fn routing_key(envelope: &Envelope) -> ShortString {
    let key = &*envelope.routing_key;
    let mut end = key.len().min(SHORT_STRING_BYTES);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    ShortString::from(&key[..end])
}

pub(super) fn returned_message(message: BasicReturnMessage) -> ReturnedMessage {
    let properties = &message.properties;
    let id = properties.message_id().as_ref().map_or("", |id| id.as_str()).into();
    let headers = properties.headers().as_ref();
    let metric = match headers.and_then(|headers| headers.inner().get(METRIC_HEADER)) {
        Some(AMQPValue::LongString(name)) => String::from_utf8_lossy(name.as_bytes()).into(),
        _ => "".into(),
    };
    let routing_key = message.delivery.routing_key.as_str().into();
    ReturnedMessage { id, routing_key, metric, body: message.delivery.data }
}
