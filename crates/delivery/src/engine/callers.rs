//! What callers ask of the network side, and how they are answered.

use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::{Engine, Envelope, Message, Reason, Ticket};

/// What callers ask of the network side.
pub(in super::super) enum Command {
    /// Send this, and tell whether it arrived.
    Publish { envelope: Envelope, body: Vec<u8>, ticket: Ticket },
    /// Tell when nothing handed over so far waits any longer. The answer is false if it waits
    /// for consumers to come back, which may take for ever.
    Flush { answer: SyncSender<bool> },
    /// End; records that are left go to the spool or are given up. The answer is true if
    /// none had to be given up.
    Stop { answer: SyncSender<bool> },
    /// Panic.
    #[cfg(test)]
    Fail,
}

pub(super) struct FlushWaiter {
    /// Records before this number are waited for.
    number: u64,
    /// Messages up to this one too, which may come from elsewhere than the buffer.
    sequence: u64,
    pub(super) answer: SyncSender<bool>,
}

impl Engine {
    pub(super) fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Publish { envelope, body, ticket } => {
                self.add(envelope, body, None, now, Some(ticket));
                self.hurry(now);
            }
            Command::Flush { answer } => {
                self.flushes.push(FlushWaiter {
                    number: self.shared.buffer.next_number(),
                    sequence: self.outbox.last_sequence(),
                    answer,
                });
                self.next_collect = now;
            }
            // Handled where it arrives.
            Command::Stop { .. } => {}
            #[cfg(test)]
            Command::Fail => panic!("told to"),
        }
    }

    pub(super) fn answer_flushes(&mut self) {
        if self.flushes.is_empty() {
            return;
        }
        let lost = self.routing.is_lost();
        let buffered = self.shared.buffer.oldest_number();
        let outbox = &self.outbox;
        self.flushes.retain(|waiter| {
            let waits = buffered.is_some_and(|oldest| oldest < waiter.number)
                || outbox.messages().any(|message| {
                    message.sequence <= waiter.sequence
                        || message.number.is_some_and(|number| number < waiter.number)
                });
            if waits && !lost {
                return true;
            }
            let _ = waiter.answer.try_send(!waits);
            false
        });
    }

    /// Tells publishers that waited long enough.
    pub(super) fn withdraw_overdue(&mut self, now: Instant) {
        let overdue =
            |message: &Message| message.ticket.as_ref().is_some_and(|ticket| ticket.unsent <= now);
        for message in self.outbox.remove_waiting(overdue) {
            self.give_up(message, Reason::Withdrawn);
        }
        for message in self.outbox.sent_messages_mut() {
            // It may arrive all the same.
            if message.ticket.as_ref().is_some_and(|ticket| ticket.sent <= now)
                && let Some(ticket) = message.ticket.take()
            {
                self.tickets -= 1;
                ticket.answer(false);
            }
        }
    }
}
