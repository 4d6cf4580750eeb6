//! A caller waiting for one message to be confirmed, with its deadlines.

use std::time::Instant;

use flume::{Receiver, Sender, bounded};

#[derive(Debug)]
pub(crate) struct ConfirmWaiter {
    /// A message that was not sent by then is withdrawn.
    pub(crate) send_deadline: Instant,
    /// A message that was sent and not confirmed by then is reported as not confirmed; it may
    /// arrive all the same.
    pub(crate) confirm_deadline: Instant,
    reply: Sender<bool>,
}

impl ConfirmWaiter {
    /// With it the receiver of the reply: whether the message was confirmed.
    pub(crate) fn new(send_deadline: Instant, confirm_deadline: Instant) -> (Self, Receiver<bool>) {
        let (reply, receiver) = bounded(1);
        (Self { send_deadline, confirm_deadline, reply }, receiver)
    }

    /// Tells the caller, which may have dropped the receiver, whether the message was confirmed.
    pub(crate) fn reply(self, confirmed: bool) {
        let _ = self.reply.try_send(confirmed);
    }
}
