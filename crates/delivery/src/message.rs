//! One AMQP message: a JSON array of records of one metric, as consumers know it.

use std::sync::Arc;
use std::time::Instant;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::ticket::Ticket;

/// Names the metric in a message's headers.
pub(super) const METRIC_HEADER: &str = "x-phanos-metric";
/// Names the process that recorded, in a message's headers.
pub(super) const WORKER_HEADER: &str = "x-phanos-worker";

/// The limit of AMQP short strings, which routing keys are.
const SHORT_STRING_BYTES: usize = 255;

/// What the broker gets, apart from the body. The same when a message is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// `message_id`: lets consumers drop what arrives twice.
    pub(super) id: Box<str>,
    /// The job of the records.
    pub(super) routing_key: Box<str>,
    pub(super) metric: Box<str>,
    pub(super) worker: Box<str>,
    pub(super) records: u32,
}

impl Envelope {
    pub(super) fn properties(&self) -> BasicProperties {
        let mut headers = FieldTable::default();
        for (name, value) in [(METRIC_HEADER, &self.metric), (WORKER_HEADER, &self.worker)] {
            let value = LongString::from(value.as_bytes());
            headers.insert(ShortString::from(name), AMQPValue::LongString(value));
        }
        BasicProperties::default()
            .with_content_type(ShortString::from("application/json"))
            .with_message_id(ShortString::from(&*self.id))
            .with_headers(headers)
    }

    /// The routing key, cut where AMQP cannot carry more.
    pub(super) fn short_routing_key(&self) -> ShortString {
        let key = &*self.routing_key;
        let mut end = key.len().min(SHORT_STRING_BYTES);
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        ShortString::from(&key[..end])
    }
}

/// Where the body is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Memory(Arc<Vec<u8>>),
    /// In the spool only.
    Spool {
        bytes: usize,
    },
}

/// What a spool has of a message. It gets the bytes piece by piece, as the message grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spooled {
    /// Which store.
    pub(super) store: u32,
    /// Which message in it.
    pub(super) number: u64,
    /// Pieces that the spool was told of, and how many of them are on disk.
    pub(super) pieces: u32,
    pub(super) written: u32,
    /// Bytes and records in all these pieces.
    pub(super) bytes: usize,
    pub(super) records: u32,
    /// Records counted as being on disk.
    pub(super) counted: u32,
}

#[derive(Debug)]
pub(super) struct Message {
    /// Order of sending.
    pub(super) sequence: u64,
    pub(super) envelope: Arc<Envelope>,
    pub(super) body: Body,
    /// Number of its first record among all ever handed over, for whoever waits for it.
    pub(super) number: Option<u64>,
    pub(super) since: Instant,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// How often the broker closed the channel when only this message was under way.
    pub(super) refusals: u32,
    /// The newest message of its metric, which records may join that come before it is sent.
    pub(super) open: bool,
    /// Set as soon as the spool was told of it.
    pub(super) spooled: Option<Spooled>,
    /// Whoever waits for this very message.
    pub(super) ticket: Option<Ticket>,
}

impl Message {
    pub(super) fn records(&self) -> u64 {
        u64::from(self.envelope.records)
    }

    /// True if all of it is on disk.
    pub(super) fn is_durable(&self) -> bool {
        self.spooled.is_some_and(|spooled| {
            // The closing bracket is not written.
            spooled.written == spooled.pieces && spooled.bytes + 1 == self.body_bytes()
        })
    }

    /// Bytes of the body, wherever it is.
    pub(super) fn body_bytes(&self) -> usize {
        match &self.body {
            Body::Memory(body) => body.len(),
            Body::Spool { bytes } => *bytes,
        }
    }

    /// Bytes of the body in memory.
    pub(super) fn memory(&self) -> usize {
        match &self.body {
            Body::Memory(body) => body.len(),
            Body::Spool { .. } => 0,
        }
    }
}
