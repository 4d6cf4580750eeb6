//! The receiver's answers: confirmed, returned, rejected, or a broken link.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::stream::StreamExt;

use crate::engine::state::{Answered, Engine};
use crate::link::failure::Failure;
use crate::link::{Outcome, ReturnedMessage};
use crate::messages::message::Message;
use crate::report::stats::{DropReason, add, subtract};

/// After a rejection (a full queue, say).
const REJECTION_PAUSE: Duration = Duration::from_millis(100);
/// A message over which alone the receiver broke the link this often is dropped.
const MAX_BLAMES: u32 = 3;
/// How many confirmed messages are remembered for a return that comes late: more than can be in
/// flight.
const REMEMBERED: usize = 512;

impl Engine {
    /// Handles `first` and all other answers that are there.
    pub(super) fn settle(&mut self, first: Answered) {
        let mut answered = vec![first];
        while let Some(Some(next)) = self.answers.next().now_or_never() {
            answered.push(next);
        }
        // A returned message may be told with the answer for another one: all returns are noted
        // before any confirmation counts.
        for (_, answer) in &mut answered {
            if let Some(returned) = answer.returned.take() {
                self.note_returned(*returned);
            }
        }
        self.unsettled.settle();
        for (sequence, answer) in answered {
            match answer.outcome {
                Outcome::Confirmed => self.confirmed(sequence),
                Outcome::Rejected => self.rejected(sequence),
                Outcome::Broken { failure, blames_message } => {
                    self.broken(sequence, &failure, blames_message);
                    return;
                }
            }
        }
    }

    fn note_returned(&mut self, returned: ReturnedMessage) {
        if let Some(message) = self.outbox.find_sent(&returned.id) {
            add(&self.shared.counters.returned, message.records());
            self.returned.insert(returned.id);
            return;
        }
        let place = self.last_confirmed.iter().position(|other| other.id == returned.id);
        if let Some(place) = place {
            self.requeue_returned(place, returned);
        } else {
            let receiver = self.shared.settings.connector.wording().receiver;
            let text = format!("{receiver} returned a message that was not sent to it");
            self.shared.log_error("unknown return", &text);
        }
    }

    /// Takes back a message that was counted as confirmed just before its return was told;
    /// `place` is that of its envelope among the confirmed ones.
    fn requeue_returned(&mut self, place: usize, returned: ReturnedMessage) {
        let Some(envelope) = self.last_confirmed.remove(place) else { return };
        let records = u64::from(envelope.records);
        add(&self.shared.counters.returned, records);
        subtract(&self.shared.counters.confirmed, records);
        subtract(&self.shared.counters.messages, 1);
        let now = Instant::now();
        if !self.routing.returned(now, self.spool.is_some()) {
            self.shared.count_dropped(DropReason::Unroutable, records);
            return;
        }
        self.add_message(Arc::unwrap_or_clone(envelope), returned.body, None, now, None);
    }

    fn confirmed(&mut self, sequence: u64) {
        let now = Instant::now();
        self.last_answer = now;
        let Some(message) = self.outbox.take_sent(sequence) else { return };
        if self.returned.remove(&message.envelope.id) {
            self.unroutable(message, now);
            return;
        }
        self.backoff.reset();
        self.isolating = false;
        self.routing.routed();
        let counters = &self.shared.counters;
        add(&counters.confirmed, message.records());
        add(&counters.messages, 1);
        if self.last_confirmed.len() >= REMEMBERED {
            self.last_confirmed.pop_front();
        }
        self.last_confirmed.push_back(Arc::clone(&message.envelope));
        self.end_message(message, true);
    }

    fn unroutable(&mut self, message: Message, now: Instant) {
        // A caller that waits asked whether the receiver has the message, and it had.
        if message.waiter.is_none() && self.routing.returned(now, self.spool.is_some()) {
            let lost_route = self.shared.settings.connector.wording().lost_route;
            let text = format!("{lost_route}: waiting for consumers to come back");
            self.shared.log_error("lost route", &text);
            self.outbox.put_back(message);
        } else {
            self.drop_message(message, DropReason::Unroutable);
        }
    }

    fn rejected(&mut self, sequence: u64) {
        let now = Instant::now();
        self.last_answer = now;
        let Some(message) = self.outbox.take_sent(sequence) else { return };
        self.returned.remove(&message.envelope.id);
        add(&self.shared.counters.rejected, message.records());
        let wording = self.shared.settings.connector.wording();
        let (receiver, hint) = (wording.receiver, wording.rejection_hint);
        let text = format!("{receiver} refuses messages for now ({hint})");
        self.shared.log_error("rejected", &text);
        self.send_pause = now + REJECTION_PAUSE;
        self.outbox.put_back(message);
    }

    /// The link broke under a message.
    fn broken(&mut self, sequence: u64, failure: &Failure, blames_message: bool) {
        if blames_message {
            self.isolate(sequence);
        }
        self.disconnect(failure);
    }

    /// The receiver broke the link over one of the messages in flight. From now on they are sent
    /// one at a time, until it is clear which one.
    fn isolate(&mut self, sequence: u64) {
        let alone = self.outbox.in_flight() == 1;
        if !std::mem::replace(&mut self.isolating, true) || !alone {
            return;
        }
        let Some(mut message) = self.outbox.take_sent(sequence) else { return };
        message.blames += 1;
        if message.blames >= MAX_BLAMES {
            self.isolating = false;
            self.drop_message(message, DropReason::Refused);
        } else {
            self.outbox.put_back(message);
        }
    }
}
