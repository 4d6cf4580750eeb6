//! Whether anybody receives what the broker accepts.
//!
//! A restarted broker has forgotten its transient exchange and the queues bound to it: what
//! is published before consumers are back is confirmed and lost, but for `mandatory`, by which
//! it is returned. Where this process has seen messages arrive, it waits for consumers to come
//! back; where it has not, nobody may be listening at all, as in development.

use std::time::{Duration, Instant};

/// How long consumers are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one message tries whether they are back.
const PROBE_EVERY: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    /// No message has reached a queue yet, as far as known.
    Unknown,
    /// The last message reached a queue.
    Routed,
    /// Messages used to reach a queue and do not.
    Lost { since: Instant, next_probe: Instant },
}

impl Routing {
    /// A message was confirmed and not returned.
    pub(super) fn routed(&mut self) {
        *self = Self::Routed;
    }

    /// A message was returned; true if it should be sent again.
    pub(super) fn returned(&mut self, now: Instant) -> bool {
        match *self {
            Self::Unknown => false,
            Self::Routed => {
                *self = Self::Lost { since: now, next_probe: now + PROBE_EVERY };
                true
            }
            Self::Lost { since, .. } if now.duration_since(since) >= PATIENCE => {
                *self = Self::Unknown;
                false
            }
            Self::Lost { since, .. } => {
                *self = Self::Lost { since, next_probe: now + PROBE_EVERY };
                true
            }
        }
    }

    /// True if messages are held back until one gets through.
    pub(super) fn is_lost(self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// When one message may try again.
    pub(super) fn next_probe(self) -> Option<Instant> {
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
    fn nobody_is_waited_for_who_was_never_there() {
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
        assert_eq!(routing.next_probe(), Some(start + PROBE_EVERY));
        assert!(routing.returned(start + PATIENCE / 2));
        assert!(!routing.returned(start + PATIENCE));
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
