//! From the buffer to the outbox: records become messages, some time after they came.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::super::chunk::Chunk;
use super::super::encode::{Encoded, encode};
use super::{Body, Connection, Engine, Envelope, Message, Reason, TICK, Ticket, add};

/// While so many messages wait to be sent, more records stay in the buffer, where they take
/// less memory and travel together afterwards.
const WAITING_MESSAGES: usize = 64;

impl Engine {
    /// True if records should leave the buffer now. Without a connection they are better off
    /// in there, unless they have to get to the disk.
    pub(super) fn wants_records(&self) -> bool {
        match &self.spool {
            Some(_) => !self.outbox.is_full(),
            None => {
                matches!(self.connection, Connection::Up(_))
                    && !self.outbox.is_full()
                    && self.outbox.waiting() < WAITING_MESSAGES
            }
        }
    }

    pub(super) fn collect(&mut self, now: Instant) {
        if now < self.next_collect {
            return;
        }
        self.next_collect = now + TICK;
        while self.wants_records() {
            let Some((chunk, number)) = self.shared.buffer.take() else { break };
            self.last_record = now;
            self.add_chunk(&chunk, number, now);
        }
    }

    /// `number` is that of the chunk's first record.
    pub(super) fn add_chunk(&mut self, chunk: &Chunk, number: u64, now: Instant) {
        let since = chunk.since.unwrap_or(now);
        for message in self.encoded(chunk) {
            let (metric, job) = (message.metric.name(), message.metric.job());
            if let Some(sequence) = self.outbox.extend(metric, job, &message.body, message.records)
            {
                add(&self.shared.counters.outstanding, u64::from(message.records));
                self.mark_unspooled(since, sequence);
                continue;
            }
            let envelope = Envelope {
                id: "".into(),
                routing_key: job.into(),
                metric: metric.into(),
                worker: self.shared.worker.clone(),
                records: message.records,
            };
            self.add(envelope, message.body, Some(number), since, None);
        }
    }

    /// The messages of `chunk`; none, if there is a mistake in making them.
    fn encoded(&self, chunk: &Chunk) -> Vec<Encoded> {
        let mut encoded = Vec::new();
        let encode = || encode(chunk, |message| encoded.push(message));
        if catch_unwind(AssertUnwindSafe(encode)).is_err() {
            self.shared.give_up(Reason::Failed, chunk.len() as u64);
            return Vec::new();
        }
        encoded
    }

    /// Queues a message; one without an id gets one.
    pub(super) fn add(
        &mut self,
        mut envelope: Envelope,
        body: Vec<u8>,
        number: Option<u64>,
        since: Instant,
        ticket: Option<Ticket>,
    ) {
        let sequence = self.outbox.next_sequence();
        if envelope.id.is_empty() {
            envelope.id = self.shared.unique_id();
        }
        add(&self.shared.counters.outstanding, u64::from(envelope.records));
        if ticket.is_some() {
            self.tickets += 1;
        } else {
            self.mark_unspooled(since, sequence);
        }
        self.outbox.add(Message {
            sequence,
            envelope: Arc::new(envelope),
            body: Body::Memory(Arc::new(body)),
            number,
            since,
            attempts: 0,
            refusals: 0,
            // Records of the buffer may join others of the buffer.
            open: number.is_some(),
            spooled: None,
            ticket,
        });
    }

    /// There is something new in a message that the disk may have to take.
    pub(super) fn mark_unspooled(&mut self, since: Instant, sequence: u64) {
        if self.spool.is_some() {
            self.unspooled.push_back((since, sequence));
        }
    }
}
