//! Links are opened, watched and replaced.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::connection::{Connection, ConnectionEvent};
use crate::engine::state::{Answers, Engine};
use crate::link::failure::Failure;
use crate::link::{Link, LinkEvent};
use crate::report::log_queue::LogLevel;
use crate::report::stats::{ConnectionState, add};

impl Engine {
    /// Begins to open a link, if there is none and it is time.
    pub(super) fn connect(&mut self, now: Instant) {
        if let Connection::Down { until } = self.connection
            && until <= now
        {
            self.shared.counters.set_state(ConnectionState::Connecting);
            let connector = Arc::clone(&self.shared.settings.connector);
            self.connection = Connection::Opening(Box::pin(async move { connector.open().await }));
        }
    }

    pub(super) fn handle_connection(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(Ok(link)) => self.connected(link),
            ConnectionEvent::Link(LinkEvent::Blocked(reason)) => {
                self.blocked_since = Some(Instant::now());
                self.shared.counters.set_state(ConnectionState::Blocked);
                let receiver = self.shared.settings.connector.wording().receiver;
                let text = format!("{receiver} takes no messages for now: {reason}");
                self.shared.log_error("blocked", &text);
            }
            ConnectionEvent::Link(LinkEvent::Unblocked) => {
                self.blocked_since = None;
                self.last_answer = Instant::now();
                self.shared.counters.set_state(ConnectionState::Connected);
            }
            ConnectionEvent::Link(LinkEvent::Told { level, kind, text }) => {
                self.shared.log_queue.push(level, &kind, &text);
            }
            ConnectionEvent::Opened(Err(failure))
            | ConnectionEvent::Link(LinkEvent::Lost(failure)) => self.disconnect(&failure),
        }
    }

    fn connected(&mut self, link: Box<dyn Link>) {
        let now = Instant::now();
        self.connection = Connection::Up(link);
        self.blocked_since = None;
        self.last_answer = now;
        self.next_collect = now;
        self.shared.counters.set_state(ConnectionState::Connected);
        self.reply_to_connects(true);
        if self.shared.settings.connector.wording().takes_turns {
            self.backoff.reset();
        }
        if std::mem::replace(&mut self.was_connected, true) {
            add(&self.shared.counters.reconnects, 1);
            let text = format!("connected to {} again", self.shared.settings.connector.address());
            self.shared.log_queue.push(LogLevel::Info, "reconnected", &text);
        }
    }

    /// Ends the pause before the next attempt, since a caller waits with a deadline.
    pub(super) fn reconnect_now(&mut self, now: Instant) {
        if let Connection::Down { until } = &mut self.connection {
            *until = now.min(*until);
        }
    }

    /// Drops the link; messages in flight are sent again over the next one.
    pub(super) fn disconnect(&mut self, failure: &Failure) {
        self.answers = Answers::new();
        self.returned.clear();
        self.routing.outage();
        self.blocked_since = None;
        self.outbox.put_all_back();
        let mut pause = self.backoff.next();
        if self.confirm_waiters > 0 {
            pause = pause.min(self.backoff.shortest());
        }
        self.connection = Connection::Down { until: Instant::now() + pause };
        self.shared.counters.set_state(ConnectionState::Connecting);
        self.reply_to_connects(false);
        let kind = match failure {
            Failure::Unreachable(_) => "unreachable",
            Failure::Refused(_) => "refused by receiver",
            Failure::Lost(_) => "lost",
        };
        let wording = self.shared.settings.connector.wording();
        let product = wording.product;
        let text = format!("no connection to {product}, records are kept meanwhile: {failure}");
        if wording.takes_turns && matches!(failure, Failure::Lost(_)) {
            self.shared.log_queue.push(LogLevel::Info, kind, &text);
        } else {
            self.shared.log_error(kind, &text);
        }
    }

    /// Replaces a link that has been blocked, or without any answer, for too long.
    pub(super) fn check_link_deadlines(&mut self, now: Instant) {
        let settings = &self.shared.settings;
        if let Some(since) = self.blocked_since {
            if now.duration_since(since) >= settings.blocked_timeout {
                let text = format!("blocked for {:?}", settings.blocked_timeout);
                self.disconnect(&Failure::Lost(text));
            }
        } else if let Some(sent) = self.outbox.oldest_sent()
            && now.saturating_duration_since(sent.max(self.last_answer)) >= settings.answer_timeout
        {
            let receiver = settings.connector.wording().receiver;
            let text = format!("no answer from {receiver} for {:?}", settings.answer_timeout);
            self.disconnect(&Failure::Lost(text));
        }
    }
}
