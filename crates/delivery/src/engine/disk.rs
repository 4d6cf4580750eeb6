//! Messages that go to the spool and come back.

//! Messages that go to the spool and come back.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;

use super::super::message::Spooled;
use super::super::spool::GRACE;
use super::super::store::Stored;
use super::{Body, Done, Engine, Message, Reason, Spool, add, disk_done, earlier, subtract};

/// What one look-up in the spool brings back, at most.
const LOAD_BYTES: usize = 1024 * 1024;

impl Engine {
    /// Hands the spool what it should keep, and lets it get on.
    pub(super) fn mind_disk(&mut self, now: Instant) {
        let Some(spool) = &mut self.spool else { return };
        while let Some((since, sequence)) = self.unspooled.front().copied()
            && since + GRACE <= now
        {
            self.unspooled.pop_front();
            self.outbox.change(sequence, |message| spool.put(message));
        }
        let mut too_many = Vec::new();
        while spool.is_over_full()
            && let Some(mut oldest) = self.outbox.take_oldest_spooled()
        {
            if let Some(spooled) = oldest.spooled.take() {
                spool.remove(spooled);
                subtract(&self.shared.counters.spooled, u64::from(spooled.counted));
            }
            too_many.push(oldest);
        }
        spool.advance(now);
        if self.outbox.is_full() {
            self.outbox.shed();
        }
        for message in too_many {
            self.give_up(message, Reason::Spool);
        }
    }

    /// When the spool has something to do at the latest.
    pub(super) fn disk_deadline(&self) -> Option<Instant> {
        let spool = self.spool.as_ref()?;
        let unspooled = self.unspooled.front().map(|(since, _)| *since + GRACE);
        earlier(unspooled, spool.deadline())
    }

    /// Has the bodies brought back that are sent next.
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

    pub(super) fn handle_disk(&mut self, done: Done) {
        match done {
            Done::Written(pieces) => self.written(pieces),
            Done::Loaded(loaded) => self.loaded(loaded),
            Done::Looked { adopted, refused } => {
                if !refused.is_empty() {
                    let text = format!("{}; left as it is", refused.join("; "));
                    self.shared.failed("spool file", &text);
                }
                for (spooled, stored) in adopted {
                    self.adopt(spooled, stored);
                }
            }
            // What was to be written is tried again; memory has to do meanwhile.
            Done::Failed(error) => self.shared.failed("spool", &error),
        }
    }

    fn adopt(&mut self, spooled: Spooled, stored: Stored) {
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
            number: None,
            since: Instant::now(),
            attempts: 0,
            refusals: 0,
            open: false,
            spooled: Some(spooled),
            ticket: None,
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
                    self.shared.failed("spool", &error);
                    for message in self.outbox.remove_waiting(|other| other.sequence == sequence) {
                        self.give_up(message, Reason::Spool);
                    }
                }
            }
        }
    }

    /// A message needs the disk no longer.
    pub(super) fn unspool(&mut self, message: &Message) {
        if let (Some(spool), Some(spooled)) = (&mut self.spool, message.spooled) {
            spool.remove(spooled);
            subtract(&self.shared.counters.spooled, u64::from(spooled.counted));
        }
    }

    /// Leaves to the disk all that it takes until `end`, what is in the buffer included.
    pub(super) async fn leave_on_disk(&mut self, end: Instant) {
        let Some(spool) = &mut self.spool else { return };
        spool.try_again();
        loop {
            while !self.outbox.is_full()
                && let Some((chunk, number)) = self.shared.buffer.take()
            {
                self.add_chunk(&chunk, number, Instant::now());
            }
            if !self.save(end).await || self.shared.buffer.records() == 0 {
                return;
            }
            self.outbox.shed();
        }
    }

    /// Writes all messages; false if the disk failed, or took too long.
    async fn save(&mut self, end: Instant) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        for message in self.outbox.waiting_mut().filter(|message| message.ticket.is_none()) {
            spool.put(message);
        }
        while self.spool.as_ref().is_some_and(Spool::is_behind) {
            if let Some(spool) = &mut self.spool {
                spool.advance(Instant::now());
            }
            let Ok(done) = timeout_at(end.into(), disk_done(&mut self.spool)).await else {
                return false;
            };
            let failed = matches!(done, Done::Failed(_));
            self.handle_disk(done);
            if failed {
                return false;
            }
        }
        true
    }
}
