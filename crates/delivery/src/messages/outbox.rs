//! Messages that wait to be sent, and messages in flight: sent and not confirmed yet.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::messages::message::{Body, Message, Spooled};
use crate::records::encode::{BODY_BYTES, join};

/// Messages in flight at most.
const WINDOW_MESSAGES: usize = 256;
/// Bytes in flight at most; a message of any size may be in flight alone.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// While this many bytes wait to be sent, records stay in the buffer, where they take less memory.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How many metrics have a message that may grow, at most: more than a program has metrics.
const MOST_GROWING: usize = 4096;

#[derive(Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    /// By metric and routing key the sequence of the message that may grow, which waits.
    growing: HashMap<(Box<str>, Box<str>), u64>,
    /// By sequence.
    in_flight: BTreeMap<u64, Sent>,
    in_flight_bytes: usize,
    in_flight_records: u64,
    last_sequence: u64,
}

pub(crate) struct Sent {
    pub(crate) message: Message,
    pub(crate) at: Instant,
}

impl Outbox {
    /// The place of one more message in the order of sending.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.last_sequence += 1;
        self.last_sequence
    }

    /// The place of the newest message.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// How many messages wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True if no more bodies should be brought into memory.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting_bytes >= WAITING_BYTES
    }

    /// Adds a message behind all others; if it is open, [`Self::extend`] finds it.
    pub(crate) fn add(&mut self, message: Message) {
        if message.open && message.waiter.is_none() {
            if self.growing.len() >= MOST_GROWING {
                self.forget_growing();
            }
            let key = (message.envelope.metric.clone(), message.envelope.routing_key.clone());
            self.growing.insert(key, message.sequence);
        }
        self.waiting_bytes += message.memory_bytes();
        self.waiting.push_back(message);
    }

    /// Adds records to the newest waiting message of their metric; returns its sequence, or `None`
    /// if no message may grow. `body` is the JSON array of the records.
    pub(crate) fn extend(
        &mut self,
        metric: &str,
        routing_key: &str,
        body: &[u8],
        records: u32,
    ) -> Option<u64> {
        let key = (metric.into(), routing_key.into());
        let sequence = *self.growing.get(&key)?;
        let place = self.waiting.binary_search_by_key(&sequence, |message| message.sequence);
        if let Ok(place) = place {
            let newest = &mut self.waiting[place];
            // A message that was sent must be the same when it is sent again.
            let may_grow = newest.attempts == 0;
            if let Body::Memory(held) = &mut newest.body
                && may_grow
                && held.len() + body.len() <= BODY_BYTES
            {
                join(Arc::make_mut(held), body);
                self.waiting_bytes += body.len() - 1;
                Arc::make_mut(&mut newest.envelope).records += records;
                return Some(newest.sequence);
            }
            newest.open = false;
        }
        self.growing.remove(&key);
        None
    }

    /// Lets no waiting message grow any more.
    fn forget_growing(&mut self) {
        for (_, sequence) in self.growing.drain() {
            let place = self.waiting.binary_search_by_key(&sequence, |message| message.sequence);
            if let Ok(place) = place {
                self.waiting[place].open = false;
            }
        }
    }

    /// Drops bodies from memory that are on disk as well, until the outbox is full no longer: the
    /// newest first, since the oldest are sent next, and open messages last.
    pub(crate) fn evict_spooled(&mut self) {
        for open in [false, true] {
            for message in self.waiting.iter_mut().rev() {
                if self.waiting_bytes < WAITING_BYTES {
                    return;
                }
                if message.open <= open && message.is_on_disk() {
                    self.waiting_bytes -= message.memory_bytes();
                    message.body = Body::Spool { bytes: message.body_bytes() };
                }
            }
        }
    }

    /// Removes the oldest waiting message that is in the spool and `wanted`.
    pub(crate) fn take_oldest_spooled(
        &mut self,
        wanted: impl Fn(Spooled) -> bool,
    ) -> Option<Message> {
        let is_wanted = |message: &Message| message.spooled.is_some_and(&wanted);
        let place = self.waiting.iter().position(is_wanted)?;
        let message = self.waiting.remove(place)?;
        self.waiting_bytes -= message.memory_bytes();
        Some(message)
    }

    /// True if the next message may be sent now.
    pub(crate) fn window_open(&self) -> bool {
        self.in_flight.len() < WINDOW_MESSAGES
            && (self.in_flight.is_empty() || self.in_flight_bytes < WINDOW_BYTES)
    }

    /// The next message to be sent.
    pub(crate) fn next(&self) -> Option<&Message> {
        self.waiting.front()
    }

    /// Removes the next message to be sent.
    pub(crate) fn take_next(&mut self) -> Option<Message> {
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= message.memory_bytes();
        Some(message)
    }

    /// Adds a message that was sent.
    pub(crate) fn add_sent(&mut self, message: Message, at: Instant) {
        self.in_flight_bytes += message.body_bytes();
        self.in_flight_records += message.records();
        self.in_flight.insert(message.sequence, Sent { message, at });
    }

    /// Removes a message in flight, for which the receiver has answered.
    pub(crate) fn take_sent(&mut self, sequence: u64) -> Option<Message> {
        let sent = self.in_flight.remove(&sequence)?;
        self.in_flight_bytes -= sent.message.body_bytes();
        self.in_flight_records -= sent.message.records();
        Some(sent.message)
    }

    /// Puts a message back among the waiting ones, at its place.
    pub(crate) fn put_back(&mut self, message: Message) {
        self.waiting_bytes += message.memory_bytes();
        let place = self.waiting.partition_point(|other| other.sequence < message.sequence);
        self.waiting.insert(place, message);
    }

    /// Puts all messages in flight back among the waiting ones.
    pub(crate) fn put_all_back(&mut self) {
        let sent = std::mem::take(&mut self.in_flight);
        self.in_flight_bytes = 0;
        self.in_flight_records = 0;
        for (_, sent) in sent.into_iter().rev() {
            self.put_back(sent.message);
        }
    }

    /// When the oldest message in flight was sent.
    pub(crate) fn oldest_sent(&self) -> Option<Instant> {
        self.in_flight.values().map(|sent| sent.at).min()
    }

    /// How many messages are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// How many records are in flight.
    pub(crate) fn in_flight_records(&self) -> u64 {
        self.in_flight_records
    }

    /// The message in flight with that id.
    pub(crate) fn find_sent(&self, id: &str) -> Option<&Message> {
        self.in_flight.values().map(|sent| &sent.message).find(|sent| &*sent.envelope.id == id)
    }

    /// All messages, those in flight first.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.in_flight.values().map(|sent| &sent.message).chain(&self.waiting)
    }

    /// All messages. Their bodies must not be changed: use [`Self::change`] for that.
    pub(crate) fn messages_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        let sent = self.in_flight.values_mut().map(|sent| &mut sent.message);
        sent.chain(&mut self.waiting)
    }

    /// The waiting messages. Their bodies must not be changed: use [`Self::change`] for that.
    pub(crate) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        self.waiting.iter_mut()
    }

    /// The messages in flight.
    pub(crate) fn sent_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        self.in_flight.values_mut().map(|sent| &mut sent.message)
    }

    /// How many messages have a caller that waits for them.
    pub(crate) fn confirm_waiters(&self) -> usize {
        self.messages().filter(|message| message.waiter.is_some()).count()
    }

    /// The next deadline of a caller that waits for a message.
    pub(crate) fn next_waiter_deadline(&self) -> Option<Instant> {
        let sent = self.in_flight.values().filter_map(|sent| sent.message.waiter.as_ref());
        let unsent = self.waiting.iter().filter_map(|message| message.waiter.as_ref());
        let confirm_deadlines = sent.map(|waiter| waiter.confirm_deadline);
        confirm_deadlines.chain(unsent.map(|waiter| waiter.send_deadline)).min()
    }

    /// Changes one message, waiting or in flight.
    pub(crate) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Message)) {
        if let Some(sent) = self.in_flight.get_mut(&sequence) {
            change(&mut sent.message);
            return;
        }
        let place = self.waiting.binary_search_by_key(&sequence, |message| message.sequence);
        if let Ok(place) = place {
            let message = &mut self.waiting[place];
            self.waiting_bytes -= message.memory_bytes();
            change(message);
            self.waiting_bytes += message.memory_bytes();
        }
    }

    /// Removes the waiting messages for which `unwanted` returns true.
    pub(crate) fn remove_waiting(
        &mut self,
        mut unwanted: impl FnMut(&Message) -> bool,
    ) -> Vec<Message> {
        let mut removed = Vec::new();
        if self.waiting.iter().any(&mut unwanted) {
            let waiting = std::mem::take(&mut self.waiting);
            for message in waiting {
                if unwanted(&message) {
                    self.waiting_bytes -= message.memory_bytes();
                    removed.push(message);
                } else {
                    self.waiting.push_back(message);
                }
            }
        }
        removed
    }
}
