//! Messages go to disk and come back.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;

use crate::disk::spool::{Adopted, SpoolEvent, WRITE_AGE};
use crate::engine::state::Engine;
use crate::link::envelope::Envelope;
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
            && let Some(mut oldest) = self.outbox.take_oldest_spooled(|one| spool.is_own(one))
        {
            if let Some(spooled) = oldest.spooled.take() {
                spool.remove(spooled);
                subtract(&self.shared.counters.spooled, u64::from(spooled.counted));
            }
            excess.push(oldest);
        }
        spool.advance(now);
        if let Some(text) = spool.stalled(now) {
            self.shared.log_error("spool stalled", &text);
        }
        if self.outbox.is_full() {
            self.outbox.evict_spooled();
        }
        for message in excess {
            self.drop_message(message, DropReason::Spool);
        }
    }

    /// When [`Self::drive_spool`] has something to do at the latest.
    pub(super) fn spool_deadline(&self, now: Instant) -> Option<Instant> {
        let spool = self.spool.as_ref()?;
        let unspooled = self.unspooled.front().map(|(since, _)| *since + WRITE_AGE);
        unspooled.into_iter().chain(spool.deadline(now)).min()
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
            SpoolEvent::Adopted(adopted) => self.adopt_all(adopted),
            // The spool tries again later; meanwhile messages stay in memory only.
            SpoolEvent::Failed(error) => self.shared.log_error("spool", &error),
        }
    }

    fn adopt_all(&mut self, adopted: Adopted) {
        if !adopted.refused.is_empty() {
            self.shared.log_error("spool refused", &adopted.refused.join("; "));
        }
        for text in &adopted.told {
            // Each is told: it happens once to a file.
            self.shared.log_error(text, text);
        }
        add(&self.shared.counters.adopted, adopted.lost);
        self.shared.count_dropped(DropReason::Spool, adopted.lost);
        for (spooled, envelope, body_bytes) in adopted.messages {
            self.adopt(spooled, envelope, body_bytes);
        }
        for (file, is_present) in adopted.presence {
            self.recount(file, is_present);
        }
    }

    /// Counts the messages of a spool file as on disk, or no longer.
    fn recount(&mut self, file: u32, is_present: bool) {
        let counters = &self.shared.counters;
        for message in self.outbox.messages_mut() {
            let Some(spooled) = message.spooled.as_mut().filter(|spooled| spooled.file == file)
            else {
                continue;
            };
            let count = if is_present { spooled.written_records } else { 0 };
            add(&counters.spooled, u64::from(count));
            subtract(&counters.spooled, u64::from(spooled.counted));
            spooled.counted = count;
        }
    }

    fn adopt(&mut self, spooled: Spooled, envelope: Envelope, body_bytes: usize) {
        let counters = &self.shared.counters;
        let records = u64::from(envelope.records);
        for counter in [&counters.adopted, &counters.outstanding, &counters.spooled] {
            add(counter, records);
        }
        let sequence = self.outbox.next_sequence();
        self.outbox.add(Message {
            sequence,
            envelope: Arc::new(envelope),
            body: Body::Spool { bytes: body_bytes },
            record_number: None,
            since: Instant::now(),
            attempts: 0,
            blames: 0,
            open: false,
            spooled: Some(spooled),
            waiter: None,
        });
    }

    fn written(&mut self, pieces: Vec<(u64, u32, u32)>) {
        let counters = &self.shared.counters;
        for (sequence, piece, records) in pieces {
            self.outbox.change(sequence, |message| {
                let Some(spooled) = &mut message.spooled else { return };
                spooled.written = spooled.written.max(piece + 1);
                spooled.written_records += records;
                add(&counters.spooled, u64::from(spooled.written_records - spooled.counted));
                spooled.counted = spooled.written_records;
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
                        if let (Some(spool), Some(spooled)) = (&self.spool, message.spooled) {
                            spool.note_damage(spooled);
                        }
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
        self.look_at_files(end).await;
        loop {
            self.at_once(Self::collect_everything);
            if !self.save_messages(end).await || self.shared.buffer.records() == 0 {
                return;
            }
            self.outbox.evict_spooled();
        }
    }

    /// Finds out whether the files of the spool are still on disk.
    async fn look_at_files(&mut self, end: Instant) {
        loop {
            let Some(spool) = &mut self.spool else { return };
            spool.look_at_files();
            let Ok(event) = timeout_at(end.into(), spool.event()).await else { return };
            let is_last = matches!(event, SpoolEvent::Adopted(_));
            self.handle_spool(event);
            if is_last {
                return;
            }
        }
    }

    /// Writes all messages; false if the disk failed, or took too long.
    async fn save_messages(&mut self, end: Instant) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        for message in self.outbox.waiting_mut().filter(|message| message.waiter.is_none()) {
            spool.put(message);
        }
        loop {
            let Some(spool) = &mut self.spool else { return false };
            spool.advance(Instant::now());
            // What was to be written may have been in a file that is empty now, and goes.
            if !spool.is_behind() {
                return true;
            }
            let Ok(event) = timeout_at(end.into(), spool.event()).await else { return false };
            let failed = matches!(event, SpoolEvent::Failed(_));
            self.at_once(|engine| engine.handle_spool(event));
            if failed {
                return false;
            }
        }
    }
}
