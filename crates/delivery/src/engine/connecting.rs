//! The connection of the network side: made, watched, given up, made anew.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use lapin::Event;

use super::super::link::Link;
use super::super::notices::Level;
use super::{Answers, Engine, Failure, State, add};

type Opening = Pin<Box<dyn Future<Output = Result<Box<Link>, Failure>> + Send>>;

// There is one per handler.
#[allow(clippy::large_enum_variant)]
pub(super) enum Connection {
    /// Until then nothing is tried.
    Down {
        until: Instant,
    },
    Opening(Opening),
    Up(Box<Link>),
}

/// What a connection can come up with.
#[allow(clippy::large_enum_variant)]
pub(super) enum Happening {
    Opened(Result<Box<Link>, Failure>),
    Event(Option<Event>),
}

pub(super) async fn happening(connection: &mut Connection) -> Happening {
    match connection {
        Connection::Down { .. } => pending().await,
        Connection::Opening(opening) => Happening::Opened(opening.await),
        Connection::Up(link) => Happening::Event(link.event().await),
    }
}

impl Engine {
    pub(super) fn connect(&mut self, now: Instant) {
        if let Connection::Down { until } = self.connection
            && until <= now
        {
            self.shared.counters.set_state(State::Connecting);
            let shared = Arc::clone(&self.shared);
            let opening = async move { Link::open(&shared.settings).await.map(Box::new) };
            self.connection = Connection::Opening(Box::pin(opening));
        }
    }

    pub(super) fn handle(&mut self, happened: Happening) {
        match happened {
            Happening::Opened(Ok(link)) => self.opened(link),
            Happening::Opened(Err(failure)) => self.disconnect(&failure),
            Happening::Event(Some(Event::ConnectionBlocked(reason))) => {
                self.blocked = Some(Instant::now());
                self.shared.counters.set_state(State::Blocked);
                let text = format!("the broker takes no messages for now: {reason}");
                self.shared.failed("blocked", &text);
            }
            Happening::Event(Some(Event::ConnectionUnblocked)) => {
                self.blocked = None;
                self.last_answer = Instant::now();
                self.shared.counters.set_state(State::Connected);
            }
            Happening::Event(Some(Event::Error(error))) => {
                self.disconnect(&Failure::of_use(&error));
            }
            Happening::Event(Some(_)) => {}
            Happening::Event(None) => {
                self.disconnect(&Failure::Lost("connection closed".into()));
            }
        }
    }

    fn opened(&mut self, link: Box<Link>) {
        let now = Instant::now();
        self.connection = Connection::Up(link);
        self.blocked = None;
        self.last_answer = now;
        self.next_collect = now;
        self.shared.counters.set_state(State::Connected);
        if std::mem::replace(&mut self.was_up, true) {
            add(&self.shared.counters.reconnects, 1);
            let text = format!("connected to {} again", self.shared.settings.target());
            self.shared.notices.tell(Level::Info, "reconnected", &text);
        }
    }

    /// Somebody waits for an answer, and not for long.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Connection::Down { until } = &mut self.connection {
            *until = now.min(*until);
        }
    }

    /// Gives the connection up; what was under way is sent again over the next one.
    pub(super) fn disconnect(&mut self, failure: &Failure) {
        self.answers = Answers::new();
        self.returned.clear();
        self.blocked = None;
        self.outbox.put_all_back();
        let mut pause = self.backoff.next();
        if self.tickets > 0 {
            pause = pause.min(self.backoff.shortest());
        }
        self.connection = Connection::Down { until: Instant::now() + pause };
        self.shared.counters.set_state(State::Connecting);
        let kind = match failure {
            Failure::Unreachable(_) => "unreachable",
            Failure::Refused(_) => "refused by broker",
            Failure::Lost(_) => "lost",
        };
        let text = format!("no connection to RabbitMQ, records are kept meanwhile: {failure}");
        self.shared.failed(kind, &text);
    }

    pub(super) fn check_deadlines(&mut self, now: Instant) {
        let settings = &self.shared.settings;
        if let Some(since) = self.blocked {
            if now.duration_since(since) >= settings.blocked_timeout {
                let text = format!("blocked for {:?}", settings.blocked_timeout);
                self.disconnect(&Failure::Lost(text));
            }
        } else if let Some(sent) = self.outbox.oldest_sent()
            && now.saturating_duration_since(sent.max(self.last_answer)) >= settings.stack_timeout
        {
            let text = format!("no answer from the broker for {:?}", settings.stack_timeout);
            self.disconnect(&Failure::Lost(text));
        }
        if self.tickets > 0 {
            self.withdraw_overdue(now);
        }
    }
}
