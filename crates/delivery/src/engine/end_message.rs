//! A message is confirmed or dropped.

use crate::engine::state::Engine;
use crate::messages::message::Message;
use crate::report::stats::{DropReason, subtract};

impl Engine {
    pub(super) fn drop_message(&mut self, message: Message, reason: DropReason) {
        self.shared.count_dropped(reason, message.records());
        // For the caller of `publish`, a message that the receiver has taken is confirmed, even
        // if no consumer gets it.
        self.end_message(message, reason == DropReason::Unroutable);
    }

    /// Ends a message whose records are counted as confirmed or dropped.
    pub(super) fn end_message(&mut self, message: Message, confirmed: bool) {
        subtract(&self.shared.counters.outstanding, message.records());
        if let Some(number) = self.shared.number_of(&message.envelope) {
            self.unsettled.end(number);
        }
        self.remove_from_spool(&message);
        if let Some(waiter) = message.waiter {
            self.confirm_waiters -= 1;
            waiter.reply(confirmed);
        }
    }
}
