//! Messages that wait to be sent or to be confirmed, and what is in whose hands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::encode::{BODY_BYTES, join};
use super::message::{Body, Message};

/// Messages on their way to the broker at most.
const WINDOW_MESSAGES: usize = 256;
/// Bytes on their way to the broker at most, beyond a first message of any size.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that wait here for their turn, beyond which records stay in the buffer, where they
/// take less.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How far back a metric's newest message is looked for: more metrics than a program has.
const NEWEST: usize = 256;

#[derive(Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    /// By sequence.
    in_flight: BTreeMap<u64, Sent>,
    in_flight_bytes: usize,
    in_flight_records: u64,
    last_sequence: u64,
}

pub(super) struct Sent {
    pub(super) message: Message,
    pub(super) at: Instant,
}

impl Outbox {
    /// A place in the order for one more message.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.last_sequence += 1;
        self.last_sequence
    }

    /// The place of the newest message.
    pub(super) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Messages that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True if no more bodies should come into memory.
    pub(super) fn is_full(&self) -> bool {
        self.waiting_bytes >= WAITING_BYTES
    }

    /// Adds a message behind all others.
    pub(super) fn add(&mut self, message: Message) {
        self.waiting_bytes += message.memory();
        self.waiting.push_back(message);
    }

    /// Adds records to the newest message of their metric, if that may still grow; returns its
    /// sequence. `body` is the JSON array of the records.
    pub(super) fn extend(
        &mut self,
        metric: &str,
        routing_key: &str,
        body: &[u8],
        records: u32,
    ) -> Option<u64> {
        let newest = self.waiting.iter_mut().rev().take(NEWEST).find(|message| {
            let envelope = &message.envelope;
            message.ticket.is_none()
                && (&*envelope.metric, &*envelope.routing_key) == (metric, routing_key)
        })?;
        // Once sent it bears its name for good.
        let may_grow = newest.open && newest.attempts == 0;
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
        None
    }

    /// Lets go of bodies that are on disk as well, until no more than may be is in memory. The
    /// newest first: the oldest are sent next. Those that may still grow stay if they can.
    pub(super) fn shed(&mut self) {
        for open in [false, true] {
            for message in self.waiting.iter_mut().rev() {
                if self.waiting_bytes < WAITING_BYTES {
                    return;
                }
                if message.open <= open && message.is_durable() {
                    self.waiting_bytes -= message.memory();
                    message.body = Body::Spool { bytes: message.body_bytes() };
                }
            }
        }
    }

    /// Takes out the oldest waiting message that is in the spool.
    pub(super) fn take_oldest_spooled(&mut self) -> Option<Message> {
        let place = self.waiting.iter().position(|message| message.spooled.is_some())?;
        let message = self.waiting.remove(place)?;
        self.waiting_bytes -= message.memory();
        Some(message)
    }

    /// True if the next message may be sent now.
    pub(super) fn window_open(&self) -> bool {
        self.in_flight.len() < WINDOW_MESSAGES
            && (self.in_flight.is_empty() || self.in_flight_bytes < WINDOW_BYTES)
    }

    pub(super) fn next(&self) -> Option<&Message> {
        self.waiting.front()
    }

    /// Takes the next message out; it is in the caller's hands.
    pub(super) fn take_next(&mut self) -> Option<Message> {
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= message.memory();
        Some(message)
    }

    /// Notes that `message` is with the broker.
    pub(super) fn sent(&mut self, message: Message, at: Instant) {
        self.in_flight_bytes += message.body_bytes();
        self.in_flight_records += message.records();
        self.in_flight.insert(message.sequence, Sent { message, at });
    }

    /// The broker has answered for a message.
    pub(super) fn answered(&mut self, sequence: u64) -> Option<Message> {
        let sent = self.in_flight.remove(&sequence)?;
        self.in_flight_bytes -= sent.message.body_bytes();
        self.in_flight_records -= sent.message.records();
        Some(sent.message)
    }

    /// Puts a message back to where it was.
    pub(super) fn put_back(&mut self, message: Message) {
        self.waiting_bytes += message.memory();
        let place = self.waiting.partition_point(|other| other.sequence < message.sequence);
        self.waiting.insert(place, message);
    }

    /// Puts everything back that is with the broker.
    pub(super) fn put_all_back(&mut self) {
        let sent = std::mem::take(&mut self.in_flight);
        self.in_flight_bytes = 0;
        self.in_flight_records = 0;
        for (_, sent) in sent.into_iter().rev() {
            self.put_back(sent.message);
        }
    }

    /// When the message that has been with the broker for longest was sent.
    pub(super) fn oldest_sent(&self) -> Option<Instant> {
        self.in_flight.values().map(|sent| sent.at).min()
    }

    /// Messages with the broker.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Records with the broker.
    pub(super) fn in_flight_records(&self) -> u64 {
        self.in_flight_records
    }

    /// The message of that id, if it is with the broker.
    pub(super) fn find_sent(&self, id: &str) -> Option<&Message> {
        self.in_flight.values().map(|sent| &sent.message).find(|sent| &*sent.envelope.id == id)
    }

    /// All messages, those with the broker first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.in_flight.values().map(|sent| &sent.message).chain(&self.waiting)
    }

    /// Those that wait, to be changed in what takes no memory.
    pub(super) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        self.waiting.iter_mut()
    }

    pub(super) fn sent_messages_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        self.in_flight.values_mut().map(|sent| &mut sent.message)
    }

    /// When the patience of somebody ends who waits for a message.
    pub(super) fn next_ticket(&self) -> Option<Instant> {
        let sent = self.in_flight.values().filter_map(|sent| sent.message.ticket.as_ref());
        let unsent = self.waiting.iter().filter_map(|message| message.ticket.as_ref());
        sent.map(|ticket| ticket.sent).chain(unsent.map(|ticket| ticket.unsent)).min()
    }

    /// Changes one message, wherever it is.
    pub(super) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Message)) {
        if let Some(sent) = self.in_flight.get_mut(&sequence) {
            change(&mut sent.message);
            return;
        }
        let place = self.waiting.binary_search_by_key(&sequence, |message| message.sequence);
        if let Ok(place) = place {
            let message = &mut self.waiting[place];
            self.waiting_bytes -= message.memory();
            change(message);
            self.waiting_bytes += message.memory();
        }
    }

    /// Takes the waiting messages out for which `unwanted` says so.
    pub(super) fn remove_waiting(
        &mut self,
        mut unwanted: impl FnMut(&Message) -> bool,
    ) -> Vec<Message> {
        let mut removed = Vec::new();
        if self.waiting.iter().any(&mut unwanted) {
            let waiting = std::mem::take(&mut self.waiting);
            for message in waiting {
                if unwanted(&message) {
                    self.waiting_bytes -= message.memory();
                    removed.push(message);
                } else {
                    self.waiting.push_back(message);
                }
            }
        }
        removed
    }
}
