//! Sending, and what the broker answers: confirmed, returned, refused for now, or nothing.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::stream::StreamExt;
use lapin::Confirmation;
use lapin::message::BasicReturnMessage;

use super::super::failure::blames_message;
use super::super::message::METRIC_HEADER;
use super::{
    Answered, Body, Connection, Engine, Envelope, Failure, Message, Reason, add, subtract,
};

/// After the broker refused a message for now (a full queue, say).
const NACK_PAUSE: Duration = Duration::from_millis(100);
/// A message over which the broker closed the channel so often, being the only one under way, is
/// the reason for it.
const REFUSALS: u32 = 3;

impl Engine {
    pub(super) fn send(&mut self, now: Instant) {
        while self.may_send(now) {
            let Connection::Up(link) = &self.connection else { return };
            if !link.is_open() {
                self.disconnect(&Failure::Lost("the channel was closed".into()));
                return;
            }
            let Some(Message { body: Body::Memory(body), envelope, .. }) = self.outbox.next()
            else {
                self.load_next();
                return;
            };
            let mut answer = Box::pin(link.publish(envelope, Arc::clone(body)));
            let Some(mut message) = self.outbox.take_next() else { return };
            if message.attempts > 0 {
                add(&self.shared.counters.retried, message.records());
            }
            message.attempts += 1;
            let sequence = message.sequence;
            if self.outbox.in_flight() == 0 {
                self.last_answer = now;
            }
            self.outbox.sent(message, now);
            // The first poll puts it in line; later ones come in any order.
            let first = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            self.answers.push(match first {
                Poll::Ready(result) => Box::pin(std::future::ready((sequence, result))),
                Poll::Pending => Box::pin(async move { (sequence, answer.await) }),
            });
        }
    }

    fn may_send(&self, now: Instant) -> bool {
        let alone = self.suspicious || self.routing.is_lost();
        self.outbox.waiting() > 0
            && self.blocked.is_none()
            && self.pause <= now
            && self.outbox.window_open()
            && (!alone || self.outbox.in_flight() == 0)
            && self.routing.next_probe().is_none_or(|at| at <= now)
    }

    pub(super) fn settle(&mut self, first: Answered) {
        let mut answered = vec![first];
        while let Some(Some(next)) = self.answers.next().now_or_never() {
            answered.push(next);
        }
        // A message that came back is told with whichever confirmation follows it, not with
        // its own: all that are there are looked through before any counts.
        for (_, result) in &mut answered {
            if let Ok(Confirmation::Ack(back) | Confirmation::Nack(back)) = result
                && let Some(back) = back.take()
            {
                self.note_returned(&back);
            }
        }
        for (sequence, result) in answered {
            match result {
                Ok(Confirmation::Nack(_)) => self.nacked(sequence),
                Ok(_) => self.acked(sequence),
                Err(error) => {
                    self.broken(sequence, &error);
                    return;
                }
            }
        }
    }

    fn note_returned(&mut self, back: &BasicReturnMessage) {
        let id = back.properties.message_id().as_ref().map_or("", |id| id.as_str());
        match self.outbox.find_sent(id) {
            Some(message) => {
                add(&self.shared.counters.returned, message.records());
                self.returned.insert(id.into());
            }
            None => self.resurrect(id, back),
        }
    }

    /// A message that was taken for confirmed just before its return was told.
    fn resurrect(&mut self, id: &str, back: &BasicReturnMessage) {
        let records = serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(&back.delivery.data)
            .map_or(0, |records| records.len());
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        add(&self.shared.counters.returned, u64::from(records));
        subtract(&self.shared.counters.confirmed, u64::from(records));
        let now = Instant::now();
        if !self.routing.returned(now) {
            self.shared.give_up(Reason::Unroutable, u64::from(records));
            return;
        }
        let envelope = Envelope {
            id: id.into(),
            routing_key: back.delivery.routing_key.as_str().into(),
            metric: header(back),
            worker: self.shared.worker.clone(),
            records,
        };
        self.add(envelope, back.delivery.data.clone(), None, now, None);
    }

    fn acked(&mut self, sequence: u64) {
        let now = Instant::now();
        self.last_answer = now;
        let Some(message) = self.outbox.answered(sequence) else { return };
        if self.returned.remove(&message.envelope.id) {
            self.unroutable(message, now);
            return;
        }
        self.backoff.reset();
        self.suspicious = false;
        self.routing.routed();
        let counters = &self.shared.counters;
        add(&counters.confirmed, message.records());
        add(&counters.messages, 1);
        self.forget(message, true);
    }

    fn unroutable(&mut self, message: Message, now: Instant) {
        // A publisher asked whether the broker has it, and it had.
        if message.ticket.is_none() && self.routing.returned(now) {
            let text = "messages reach no queue any more: waiting for consumers to come back";
            self.shared.failed("lost route", text);
            self.outbox.put_back(message);
        } else {
            self.give_up(message, Reason::Unroutable);
        }
    }

    fn nacked(&mut self, sequence: u64) {
        let now = Instant::now();
        self.last_answer = now;
        let Some(message) = self.outbox.answered(sequence) else { return };
        self.returned.remove(&message.envelope.id);
        add(&self.shared.counters.nacked, message.records());
        self.shared.failed("nack", "the broker refuses messages for now (a full queue?)");
        self.pause = now + NACK_PAUSE;
        self.outbox.put_back(message);
    }

    /// The channel or the connection ended under a message.
    fn broken(&mut self, sequence: u64, error: &lapin::Error) {
        if blames_message(error) {
            self.suspect(sequence);
        }
        self.disconnect(&Failure::of_use(error));
    }

    /// The broker closed the channel over one of the messages under way. Sent one at a time
    /// from now on, the one shows itself.
    fn suspect(&mut self, sequence: u64) {
        let alone = self.outbox.in_flight() == 1;
        if !std::mem::replace(&mut self.suspicious, true) || !alone {
            return;
        }
        let Some(mut message) = self.outbox.answered(sequence) else { return };
        message.refusals += 1;
        if message.refusals >= REFUSALS {
            self.suspicious = false;
            self.give_up(message, Reason::Refused);
        } else {
            self.outbox.put_back(message);
        }
    }
}

/// The metric's name in the headers of a message that came back.
fn header(back: &BasicReturnMessage) -> Box<str> {
    use lapin::types::AMQPValue;

    let headers = back.properties.headers().as_ref();
    let value = headers.and_then(|headers| headers.inner().get(METRIC_HEADER));
    match value {
        Some(AMQPValue::LongString(name)) => String::from_utf8_lossy(name.as_bytes()).into(),
        _ => "".into(),
    }
}
