//! Messages are sent.

use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::engine::connection::Connection;
use crate::engine::state::Engine;
use crate::messages::message::{Body, Message};
use crate::report::stats::add;

impl Engine {
    /// Sends waiting messages until the window is full.
    pub(super) fn send(&mut self, now: Instant) {
        while self.may_send(now) {
            let Connection::Up(link) = &self.connection else { return };
            if let Some(failure) = link.failure() {
                self.disconnect(&failure);
                return;
            }
            let Some(Message { body: Body::Memory(body), envelope, .. }) = self.outbox.next()
            else {
                self.load_next();
                return;
            };
            let number = self.shared.number_of(envelope);
            // Nothing is known of the others of a dead worker, whose messages were on disk.
            let settled = number.and_then(|_| self.unsettled.lowest());
            let mut answer = link.publish(envelope, settled, Arc::clone(body));
            let Some(mut message) = self.outbox.take_next() else { return };
            if message.attempts > 0 {
                add(&self.shared.counters.retried, message.records());
            }
            message.attempts += 1;
            let sequence = message.sequence;
            if self.outbox.in_flight() == 0 {
                self.last_answer = now;
            }
            self.outbox.add_sent(message, now);
            // The first poll decides the place in the order; later ones come in any order.
            let first = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            self.answers.push(match first {
                Poll::Ready(answer) => Box::pin(ready((sequence, answer))),
                Poll::Pending => Box::pin(async move { (sequence, answer.await) }),
            });
        }
    }

    /// Asks for answers, if a caller waits for them.
    pub(super) fn ask_for_answers(&self) {
        let is_awaited = !self.flush_waiters.is_empty() || self.confirm_waiters > 0;
        if is_awaited
            && self.outbox.in_flight() > 0
            && let Connection::Up(link) = &self.connection
        {
            link.flush();
        }
    }

    fn may_send(&self, now: Instant) -> bool {
        let one_at_a_time = self.isolating || self.routing.is_lost();
        self.outbox.waiting() > 0
            && self.blocked_since.is_none()
            && self.send_pause <= now
            && self.outbox.window_open()
            && (!one_at_a_time || self.outbox.in_flight() == 0)
            && self.routing.next_probe().is_none_or(|at| at <= now)
    }
}
