//! What a delivery says of its message.

use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use phanos_delivery::number_of_id;

use crate::intake::message::Message;

const METRIC_HEADER: &str = "x-phanos-metric";
pub(crate) const WORKER_HEADER: &str = "x-phanos-worker";
const SETTLED_HEADER: &str = "x-phanos-settled";

/// The message of a delivery. That of phanos 0.3.2 has a body and a routing key, and no more.
pub(crate) fn message(delivery: &Delivery) -> Message<'_> {
    let headers = delivery.properties.headers().as_ref();
    let worker = text(headers, WORKER_HEADER);
    let id = delivery.properties.message_id().as_ref().map_or("", |id| id.as_str());
    Message {
        worker,
        number: number_of_id(worker, id),
        settled: integer(headers, SETTLED_HEADER),
        metric: text(headers, METRIC_HEADER),
        job: delivery.routing_key.as_str(),
        body: &delivery.data,
    }
}

fn text<'a>(headers: Option<&'a FieldTable>, name: &str) -> &'a str {
    match headers.and_then(|headers| headers.inner().get(name)) {
        Some(AMQPValue::LongString(text)) => std::str::from_utf8(text.as_bytes()).unwrap_or(""),
        _ => "",
    }
}

fn integer(headers: Option<&FieldTable>, name: &str) -> Option<u64> {
    match headers?.inner().get(name)? {
        AMQPValue::LongLongInt(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}
