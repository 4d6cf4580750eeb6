//! Records of the buffer become messages, some time after they came.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::state::Engine;
use crate::link::envelope::Envelope;
use crate::messages::confirm_waiter::ConfirmWaiter;
use crate::messages::message::{Body, Message};
use crate::records::chunk::Chunk;
use crate::records::encode::{Encoded, encode};
use crate::report::stats::{DropReason, add};

/// How long records wait for others to travel with.
const COLLECT_INTERVAL: Duration = Duration::from_millis(20);
/// While this many messages wait to be sent, records stay in the buffer, where they take less
/// memory and travel together afterwards.
const WAITING_MESSAGES: usize = 64;

impl Engine {
    /// True if records should leave the buffer now. Without a connection they stay there, unless
    /// they have to get to the disk.
    pub(super) fn wants_records(&self) -> bool {
        match &self.spool {
            Some(_) => !self.outbox.is_full(),
            None => {
                self.connection.is_up()
                    && !self.outbox.is_full()
                    && self.outbox.waiting() < WAITING_MESSAGES
            }
        }
    }

    pub(super) fn collect(&mut self, now: Instant) {
        if now < self.next_collect {
            return;
        }
        self.next_collect = now + COLLECT_INTERVAL;
        while self.wants_records() {
            let Some((chunk, record_number)) = self.shared.buffer.take() else { break };
            self.last_record = now;
            self.add_chunk(&chunk, record_number, now);
        }
    }

    /// Takes the records of the buffer, as far as the outbox has room.
    pub(super) fn collect_everything(&mut self) {
        while !self.outbox.is_full()
            && let Some((chunk, record_number)) = self.shared.buffer.take()
        {
            self.add_chunk(&chunk, record_number, Instant::now());
        }
    }

    /// `record_number` is that of the chunk's first record.
    pub(super) fn add_chunk(&mut self, chunk: &Chunk, record_number: u64, now: Instant) {
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
            self.add_message(envelope, message.body, Some(record_number), since, None);
        }
    }

    /// The messages of `chunk`; if encoding panics, its records are dropped.
    fn encoded(&self, chunk: &Chunk) -> Vec<Encoded> {
        let mut encoded = Vec::new();
        let encode = || encode(chunk, |message| encoded.push(message));
        if catch_unwind(AssertUnwindSafe(encode)).is_err() {
            self.shared.count_dropped(DropReason::Failed, chunk.len() as u64);
            return Vec::new();
        }
        encoded
    }

    /// Adds a message to the outbox. An empty id is replaced by a new one.
    pub(super) fn add_message(
        &mut self,
        mut envelope: Envelope,
        body: Vec<u8>,
        record_number: Option<u64>,
        since: Instant,
        waiter: Option<ConfirmWaiter>,
    ) {
        let sequence = self.outbox.next_sequence();
        if envelope.id.is_empty() {
            envelope.id = self.shared.unique_id();
        }
        if let Some(number) = self.shared.number_of(&envelope) {
            self.unsettled.add(number);
        }
        add(&self.shared.counters.outstanding, u64::from(envelope.records));
        if waiter.is_some() {
            self.confirm_waiters += 1;
        } else {
            self.mark_unspooled(since, sequence);
        }
        self.outbox.add(Message {
            sequence,
            envelope: Arc::new(envelope),
            body: Body::Memory(Arc::new(body)),
            record_number,
            since,
            attempts: 0,
            blames: 0,
            // Records of the buffer may join others of the buffer.
            open: record_number.is_some(),
            spooled: None,
            waiter,
        });
    }

    /// Notes that a message has records that the spool was not given yet.
    fn mark_unspooled(&mut self, since: Instant, sequence: u64) {
        if self.spool.is_some() {
            self.unspooled.push_back((since, sequence));
        }
    }
}
