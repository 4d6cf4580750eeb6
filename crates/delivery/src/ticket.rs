//! Somebody waits: what for, until when, and how they are told.

use std::sync::mpsc::Receiver;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

/// Waits for one message.
#[derive(Debug)]
pub(super) struct Ticket {
    /// When the message is taken back, if it was not sent by then.
    pub(super) unsent: Instant,
    /// When nobody waits any longer for the broker's answer.
    pub(super) sent: Instant,
    answer: SyncSender<bool>,
}

impl Ticket {
    pub(super) fn new(unsent: Instant, sent: Instant) -> (Self, Receiver<bool>) {
        let (answer, receiver) = sync_channel(1);
        (Self { unsent, sent, answer }, receiver)
    }

    /// Tells whether the broker has the message. Nobody may be listening any more.
    pub(super) fn answer(self, delivered: bool) {
        let _ = self.answer.try_send(delivered);
    }
}
