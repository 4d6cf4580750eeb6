//! Messages go to disk and come back.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;

use crate::disk::spool::{Spool, SpoolEvent, WRITE_AGE};
use crate::disk::spool_file::StoredMessage;
use crate::engine::state::Engine;
use crate::messages::message::{Body, Message, Spooled};
use crate::report::stats::{DropReason, add, subtract};

/// How many bytes one task reads from the spool, give or take a message.
const LOAD_BYTES: usize = 1024 * 1024;

impl Engine {
    /// Gives the spool the messages that are old enough, drops the oldest if it is too large, and
    /// starts its background tasks.
    pub(super) fn drive_spool(&mut self, now: Instant) {
        let Some(spool) = &mut self.spool else { return };
        while let Some((since, sequence)) = self.unspooled.front().copied()
            && since + WRITE_AGE <= now
        {
            self.unspooled.pop_front();
            self.outbox.change(sequence, |message| spool.put(message));
        }
        let mut excess = Vec::new();
        while spool.is_over_full()
            && let Some(mut oldest) = self.outbox.take_oldest_spooled()
        {
            if let Some(spooled) = oldest.spooled.take() {
                spool.remove(spooled);
                subtract(&self.shared.counters.spooled, u64::from(spooled.counted));
            }
            excess.push(oldest);
        }
        spool.advance(now);
        if self.outbox.is_full() {
            self.outbox.evict_spooled();
        }
        for message in excess {
            self.drop_message(message, DropReason::Spool);
        }
    }

    /// When [`Self::drive_spool`] has something to do at the latest.
    pub(super) fn spool_deadline(&self) -> Option<Instant> {
        let spool = self.spool.as_ref()?;
        let unspooled = self.unspooled.front().map(|(since, _)| *since + WRITE_AGE);
        unspooled.into_iter().chain(spool.deadline()).min()
    }

    /// Starts to load the bodies of the messages that are sent next.
    pub(super) fn load_next(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        let mut wanted = Vec::new();
        let mut bytes = 0;
        for message in self.outbox.messages() {
            if let (Body::Spool { bytes: size }, Some(spooled)) = (&message.body, message.spooled) {
                wanted.push((message.sequence, spooled));
                bytes += *size;
                if bytes >= LOAD_BYTES {
                    break;
                }
            }
        }
        spool.load(wanted);
    }

    pub(super) fn handle_spool(&mut self, event: SpoolEvent) {
        match event {
            SpoolEvent::Written(pieces) => self.written(pieces),
            SpoolEvent::Loaded(loaded) => self.loaded(loaded),
            SpoolEvent::Adopted { messages, unreadable } => {
                if !unreadable.is_empty() {
                    let text = format!("{}; left as it is", unreadable.join("; "));
                    self.shared.log_error("spool file", &text);
                }
                for (spooled, stored) in messages {
                    self.adopt(spooled, stored);
                }
            }
            // The spool tries again later; meanwhile messages stay in memory only.
            SpoolEvent::Failed(error) => self.shared.log_error("spool", &error),
        }
    }

    fn adopt(&mut self, spooled: Spooled, stored: StoredMessage) {
        let counters = &self.shared.counters;
        let records = u64::from(stored.envelope.records);
        for counter in [&counters.adopted, &counters.outstanding, &counters.spooled] {
            add(counter, records);
        }
        let sequence = self.outbox.next_sequence();
        self.outbox.add(Message {
            sequence,
            envelope: Arc::new(stored.envelope),
            body: Body::Spool { bytes: stored.body_bytes },
            record_number: None,
            since: Instant::now(),
            attempts: 0,
            blames: 0,
            open: false,
            spooled: Some(spooled),
            waiter: None,
        });
    }

    fn written(&mut self, pieces: Vec<(u64, u32)>) {
        let counters = &self.shared.counters;
        for (sequence, piece) in pieces {
            self.outbox.change(sequence, |message| {
                let Some(spooled) = &mut message.spooled else { return };
                spooled.written = spooled.written.max(piece + 1);
                if spooled.written == spooled.pieces {
                    add(&counters.spooled, u64::from(spooled.records - spooled.counted));
                    spooled.counted = spooled.records;
                }
            });
        }
    }

    fn loaded(&mut self, loaded: Vec<(u64, Result<Vec<u8>, String>)>) {
        for (sequence, body) in loaded {
            match body {
                Ok(body) => self.outbox.change(sequence, |message| {
                    message.body = Body::Memory(Arc::new(body));
                }),
                Err(error) => {
                    self.shared.log_error("spool", &error);
                    for message in self.outbox.remove_waiting(|other| other.sequence == sequence) {
                        self.drop_message(message, DropReason::Spool);
                    }
                }
            }
        }
    }

    /// Removes a message that is confirmed or dropped from the spool.
    pub(super) fn remove_from_spool(&mut self, message: &Message) {
        if let (Some(spool), Some(spooled)) = (&mut self.spool, message.spooled) {
            spool.remove(spooled);
            subtract(&self.shared.counters.spooled, u64::from(spooled.counted));
        }
    }

    /// Writes all messages and the records of the buffer to the spool, as far as it gets by `end`.
    pub(super) async fn save_everything(&mut self, end: Instant) {
        let Some(spool) = &mut self.spool else { return };
        spool.try_again();
        loop {
            while !self.outbox.is_full()
                && let Some((chunk, number)) = self.shared.buffer.take()
            {
                self.add_chunk(&chunk, number, Instant::now());
            }
            if !self.save_messages(end).await || self.shared.buffer.records() == 0 {
                return;
            }
            self.outbox.evict_spooled();
        }
    }

    /// Writes all messages; false if the disk failed, or took too long.
    async fn save_messages(&mut self, end: Instant) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        for message in self.outbox.waiting_mut().filter(|message| message.waiter.is_none()) {
            spool.put(message);
        }
        while self.spool.as_ref().is_some_and(Spool::is_behind) {
            let Some(spool) = &mut self.spool else { return false };
            spool.advance(Instant::now());
            let Ok(event) = timeout_at(end.into(), spool.event()).await else { return false };
            let failed = matches!(event, SpoolEvent::Failed(_));
            self.handle_spool(event);
            if failed {
                return false;
            }
        }
        true
    }
}
