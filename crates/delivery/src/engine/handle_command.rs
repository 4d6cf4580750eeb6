//! Commands, and callers that wait for a reply.

use std::time::Instant;

use crate::engine::command::{Command, FlushWaiter};
use crate::engine::connection::Connection;
use crate::engine::state::Engine;
use crate::messages::message::Message;
use crate::report::stats::{DropReason, add};

impl Engine {
    /// Handles a command other than [`Command::Stop`], which ends the loop of steps.
    pub(super) fn handle_command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Publish { envelope, body, waiter } => {
                add(&self.shared.counters.published, u64::from(envelope.records));
                self.add_message(envelope, body, None, now, Some(waiter));
                self.reconnect_now(now);
            }
            Command::Flush { reply } => {
                self.flush_waiters.push(FlushWaiter {
                    record_number: self.shared.buffer.next_number(),
                    sequence: self.outbox.last_sequence(),
                    reply,
                });
                self.next_collect = now;
            }
            Command::Connect { reply } => {
                if matches!(self.connection, Connection::Up(_)) {
                    let _ = reply.try_send(true);
                } else {
                    self.connect_waiters.push(reply);
                    self.reconnect_now(now);
                }
            }
            Command::Stop { .. } => {}
        }
    }

    /// Replies to callers that wait for a link.
    pub(super) fn reply_to_connects(&mut self, connected: bool) {
        for reply in self.connect_waiters.drain(..) {
            let _ = reply.try_send(connected);
        }
    }

    /// Replies to flushes that are complete, or cannot be while messages reach no consumer.
    pub(super) fn reply_to_flushes(&mut self) {
        if self.flush_waiters.is_empty() {
            return;
        }
        let lost_route = self.routing.is_lost();
        let buffered = self.shared.buffer.oldest_number();
        let outbox = &self.outbox;
        self.flush_waiters.retain(|waiter| {
            let incomplete = buffered.is_some_and(|oldest| oldest < waiter.record_number)
                || outbox.messages().any(|message| {
                    message.sequence <= waiter.sequence
                        || message.record_number.is_some_and(|first| first < waiter.record_number)
                });
            if incomplete && !lost_route {
                return true;
            }
            let _ = waiter.reply.try_send(!incomplete);
            false
        });
    }

    /// Withdraws messages whose deadline for sending has passed, and replies to callers whose
    /// deadline for the confirmation has.
    pub(super) fn check_confirm_deadlines(&mut self, now: Instant) {
        if self.confirm_waiters == 0 {
            return;
        }
        let overdue = |message: &Message| {
            message.waiter.as_ref().is_some_and(|waiter| waiter.send_deadline <= now)
        };
        for message in self.outbox.remove_waiting(overdue) {
            self.drop_message(message, DropReason::Withdrawn);
        }
        for message in self.outbox.sent_mut() {
            // It may arrive all the same.
            if message.waiter.as_ref().is_some_and(|waiter| waiter.confirm_deadline <= now)
                && let Some(waiter) = message.waiter.take()
            {
                self.confirm_waiters -= 1;
                waiter.reply(false);
            }
        }
    }
}
