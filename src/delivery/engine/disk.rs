//! Messages that go to the spool and come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::spool::GRACE;
use super::{Body, Done, Engine, Message, Reason, add, earlier, subtract};

/// What one look-up in the spool brings back, at most.
const LOAD_BYTES: usize = 1024 * 1024;
/// After the disk failed, memory has to do for so long.
const DISK_PAUSE: Duration = Duration::from_secs(5);

impl Engine {
    /// Hands the spool what it should keep, and lets it get on.
    pub(super) fn mind_disk(&mut self, now: Instant) {
        let Some(spool) = &mut self.spool else { return };
        while let Some((since, sequence)) = self.unspooled.front().copied()
            && since + GRACE <= now
        {
            self.unspooled.pop_front();
            let counters = &self.shared.counters;
            self.outbox.change(sequence, |message| {
                if message.spooled.is_none()
                    && let Body::Memory(body) = &message.body
                {
                    let body = Arc::clone(body);
                    spool.put(message, body);
                    add(&counters.spooled, message.records());
                }
            });
        }
        let mut too_many = Vec::new();
        while spool.is_over_full()
            && self.outbox.next().is_some_and(|message| message.spooled.is_some())
            && let Some(oldest) = self.outbox.take_next()
            && let Some(key) = oldest.spooled
        {
            spool.remove(key, oldest.body_bytes());
            subtract(&self.shared.counters.spooled, oldest.records());
            too_many.push(Message { spooled: None, ..oldest });
        }
        spool.advance(now);
        for message in too_many {
            self.give_up(message, Reason::Spool);
        }
    }

    /// When the spool has something to do at the latest.
    pub(super) fn disk_deadline(&self) -> Option<Instant> {
        let spool = self.spool.as_ref().filter(|spool| !spool.is_busy())?;
        let unspooled = self.unspooled.front().map(|(since, _)| *since + GRACE);
        earlier(unspooled, Some(spool.next_look()))
    }

    /// Has the bodies brought back that are sent next.
    pub(super) fn load_next(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        let mut wanted = Vec::new();
        let mut bytes = 0;
        for message in self.outbox.messages() {
            if let (Body::Spool { bytes: size }, Some(key)) = (&message.body, message.spooled) {
                wanted.push((message.sequence, key));
                bytes += *size as usize;
                if bytes >= LOAD_BYTES {
                    break;
                }
            }
        }
        spool.load(wanted);
    }

    pub(super) fn handle_disk(&mut self, done: Done) {
        match done {
            Done::Written(sequences) => self.written(sequences),
            Done::Loaded(loaded) => self.loaded(loaded),
            Done::Adopted(messages) => {
                for (key, stored) in messages {
                    let records = u64::from(stored.envelope.records);
                    let counters = &self.shared.counters;
                    add(&counters.adopted, records);
                    add(&counters.outstanding, records);
                    add(&counters.spooled, records);
                    let sequence = self.outbox.next_sequence();
                    self.outbox.add(Message {
                        sequence,
                        envelope: Arc::new(stored.envelope),
                        body: Body::Spool { bytes: stored.body_bytes },
                        number: None,
                        since: Instant::now(),
                        attempts: 0,
                        refusals: 0,
                        spooled: Some(key),
                        durable: true,
                        ticket: None,
                    });
                }
            }
            Done::Failed(error) => self.disk_failed(&error),
        }
    }

    fn written(&mut self, sequences: Vec<u64>) {
        for sequence in sequences {
            let full = self.outbox.is_full();
            self.outbox.change(sequence, |message| {
                message.durable = true;
                if full && let Body::Memory(body) = &message.body {
                    let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
                    message.body = Body::Spool { bytes };
                }
            });
        }
    }

    fn loaded(&mut self, loaded: Vec<(u64, Result<Arc<[u8]>, String>)>) {
        for (sequence, body) in loaded {
            match body {
                Ok(body) => self.outbox.change(sequence, |message| {
                    message.body = Body::Memory(body);
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

    /// Memory has to do until the disk is well again.
    fn disk_failed(&mut self, error: &str) {
        self.shared.failed("spool", error);
        let Some(spool) = &mut self.spool else { return };
        let again = Instant::now() + DISK_PAUSE;
        let counters = &self.shared.counters;
        let unspooled = &mut self.unspooled;
        for message in self.outbox.messages_mut() {
            if !message.durable
                && let Some(key) = message.spooled.take()
            {
                spool.remove(key, message.body_bytes());
                subtract(&counters.spooled, message.records());
                unspooled.push_back((again, message.sequence));
            }
        }
    }

    /// A message needs the disk no longer.
    pub(super) fn unspool(&mut self, message: &Message) {
        if let (Some(spool), Some(key)) = (&mut self.spool, message.spooled) {
            spool.remove(key, message.body_bytes());
            subtract(&self.shared.counters.spooled, message.records());
        }
    }

    /// Leaves to the spool what it can take; returns the rest.
    pub(super) fn leave_on_disk(&mut self) -> Vec<Message> {
        let mut rest = Vec::new();
        for mut message in self.outbox.empty() {
            match (&mut self.spool, &message.body) {
                (Some(_), _) if message.spooled.is_some() => {}
                (Some(spool), Body::Memory(body)) if message.ticket.is_none() => {
                    let body = Arc::clone(body);
                    spool.put(&mut message, body);
                    add(&self.shared.counters.spooled, message.records());
                }
                _ => {
                    rest.push(message);
                    continue;
                }
            }
            subtract(&self.shared.counters.outstanding, message.records());
        }
        rest
    }
}
