//! Whether messages reach a consumer.
//!
//! A receiver may confirm messages and have no consumer for them; a link then tells that they were
//! returned. A restarted broker, for example, has forgotten a transient exchange and its queues
//! until consumers come back. An engine whose messages used to reach consumers waits for them to
//! come back. One whose messages never did drops them: in development there may be no consumer.

use std::time::{Duration, Instant};

/// How long the engine waits for consumers to come back.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The interval at which one message is sent to see whether they are back.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    /// No message is known to have reached a consumer.
    Unknown,
    /// The last message reached a consumer.
    Routed,
    /// Messages used to reach a consumer and do so no longer.
    Lost { since: Instant, next_probe: Instant },
}

impl Routing {
    /// A message was confirmed and not returned.
    pub(crate) fn routed(&mut self) {
        *self = Self::Routed;
    }

    /// A message was returned; true if it should be sent again.
    pub(crate) fn returned(&mut self, now: Instant) -> bool {
        match *self {
            Self::Unknown => false,
            Self::Routed => {
                *self = Self::Lost { since: now, next_probe: now + PROBE_INTERVAL };
                true
            }
            Self::Lost { since, .. } if now.duration_since(since) >= MAX_WAIT => {
                *self = Self::Unknown;
                false
            }
            Self::Lost { since, .. } => {
                *self = Self::Lost { since, next_probe: now + PROBE_INTERVAL };
                true
            }
        }
    }

    /// True if one message at a time is sent, until one reaches a consumer.
    pub(crate) fn is_lost(self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// When the next message may be sent, if messages are held back.
    pub(crate) fn next_probe(self) -> Option<Instant> {
        match self {
            Self::Lost { next_probe, .. } => Some(next_probe),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumers_that_were_never_there_are_not_waited_for() {
        let mut routing = Routing::Unknown;
        assert!(!routing.returned(Instant::now()));
        assert!(!routing.is_lost());
    }

    #[test]
    fn consumers_that_were_there_are_waited_for_and_not_for_ever() {
        let start = Instant::now();
        let mut routing = Routing::Unknown;
        routing.routed();
        assert!(routing.returned(start));
        assert!(routing.is_lost());
        assert_eq!(routing.next_probe(), Some(start + PROBE_INTERVAL));
        assert!(routing.returned(start + MAX_WAIT / 2));
        assert!(!routing.returned(start + MAX_WAIT));
        assert_eq!(routing, Routing::Unknown);
    }

    #[test]
    fn one_message_that_gets_through_ends_the_waiting() {
        let mut routing = Routing::Routed;
        assert!(routing.returned(Instant::now()));
        routing.routed();
        assert_eq!(routing, Routing::Routed);
        assert_eq!(routing.next_probe(), None);
    }
}
