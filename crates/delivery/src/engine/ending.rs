//! The end of a message, and of the network side as a whole.

use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::{Answers, Connection, Engine, Message, Reason, State, subtract};

/// For saying goodbye to a broker.
const GOODBYE: Duration = Duration::from_millis(500);

impl Engine {
    /// True if nothing waits any longer.
    pub(super) fn is_done(&self) -> bool {
        self.outbox.messages().next().is_none() && self.shared.buffer.records() == 0
    }

    pub(super) fn give_up(&mut self, message: Message, reason: Reason) {
        self.shared.give_up(reason, message.records());
        // To a publisher, what the broker has taken is delivered, whoever receives it.
        self.forget(message, reason == Reason::Unroutable);
    }

    /// The end of a message.
    pub(super) fn forget(&mut self, message: Message, delivered: bool) {
        subtract(&self.shared.counters.outstanding, message.records());
        self.unspool(&message);
        if let Some(ticket) = message.ticket {
            self.tickets -= 1;
            ticket.answer(delivered);
        }
    }

    /// True if nothing had to be given up.
    pub(super) async fn stop(mut self) -> bool {
        self.answers = Answers::new();
        let now = Instant::now();
        self.outbox.put_all_back();
        self.leave_on_disk(now + self.shared.settings.stack_timeout).await;
        let lost = self.outbox.remove_waiting(|message| !message.is_durable());
        let mut records = lost.iter().map(Message::records).sum();
        for message in lost {
            self.forget(message, false);
        }
        while let Some((chunk, _)) = self.shared.buffer.take() {
            records += chunk.len() as u64;
        }
        self.shared.give_up(Reason::Closed, records);
        for message in self.outbox.remove_waiting(|_| true) {
            subtract(&self.shared.counters.outstanding, message.records());
        }
        if let Some(spool) = self.spool.take() {
            let _ = spawn_blocking(move || spool.finish()).await;
        }
        self.tell_counts();
        self.shared.counters.set_state(State::Closed);
        for waiter in self.flushes.drain(..) {
            let _ = waiter.answer.try_send(false);
        }
        // Last: nobody may have the time to wait for a broker that does not answer.
        if let Connection::Up(link) = self.connection {
            link.close(GOODBYE).await;
        }
        records == 0
    }
}
