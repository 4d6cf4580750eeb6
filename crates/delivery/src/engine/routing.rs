//! Whether messages reach a consumer.
//!
//! A receiver may confirm messages and have no consumer for them; a link then tells that they were
//! returned. A restarted broker, for example, has forgotten a transient exchange and its queues
//! until consumers come back, and so has one that an engine finds only after an outage. Such an
//! engine waits for consumers, and so does one whose messages used to reach them. One that found
//! its receiver at once, and never a consumer, drops them: in development there may be none.
//!
//! With a spool, messages wait on disk for as long as it takes.

use std::time::{Duration, Instant};

/// How long the engine waits for consumers to come back.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The interval at which one message is sent to see whether they are back.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// The same after [`MAX_WAIT`].
const LATE_PROBE_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    /// No message has come to the receiver yet.
    Unknown,
    /// The same, and there was an outage.
    AfterOutage,
    /// There is no consumer, and none is waited for.
    NoConsumer,
    /// The last message reached a consumer.
    Routed,
    /// Messages wait for a consumer.
    Lost { since: Instant, next_probe: Instant },
}

impl Routing {
    /// There is no link, or no longer one.
    pub(crate) fn outage(&mut self) {
        if *self == Self::Unknown {
            *self = Self::AfterOutage;
        }
    }

    /// A message was confirmed and not returned.
    pub(crate) fn routed(&mut self) {
        *self = Self::Routed;
    }

    /// A message was returned; true if it should be sent again. `has_spool`: messages can wait on
    /// disk.
    pub(crate) fn returned(&mut self, now: Instant, has_spool: bool) -> bool {
        let (since, pause) = match *self {
            Self::AfterOutage | Self::Routed => (now, PROBE_INTERVAL),
            Self::Unknown | Self::NoConsumer if has_spool => (now, PROBE_INTERVAL),
            Self::Lost { since, .. } if now.duration_since(since) < MAX_WAIT => {
                (since, PROBE_INTERVAL)
            }
            Self::Lost { since, .. } if has_spool => (since, LATE_PROBE_INTERVAL),
            Self::Unknown | Self::NoConsumer | Self::Lost { .. } => {
                *self = Self::NoConsumer;
                return false;
            }
        };
        *self = Self::Lost { since, next_probe: now + pause };
        true
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
        assert!(!routing.returned(Instant::now(), false));
        assert!(!routing.is_lost());
        // An outage makes no difference to that.
        routing.outage();
        assert!(!routing.returned(Instant::now(), false));
    }

    #[test]
    fn consumers_that_were_there_are_waited_for_and_not_for_ever() {
        let start = Instant::now();
        let mut routing = Routing::Unknown;
        routing.routed();
        assert!(routing.returned(start, false));
        assert!(routing.is_lost());
        assert_eq!(routing.next_probe(), Some(start + PROBE_INTERVAL));
        assert!(routing.returned(start + MAX_WAIT / 2, false));
        assert!(!routing.returned(start + MAX_WAIT, false));
        assert_eq!(routing, Routing::NoConsumer);
    }

    #[test]
    fn consumers_are_waited_for_after_an_outage() {
        let start = Instant::now();
        let mut routing = Routing::Unknown;
        routing.outage();
        assert!(routing.returned(start, false));
        assert!(!routing.returned(start + MAX_WAIT, false));
        assert!(!routing.returned(start + MAX_WAIT, false));
        routing.routed();
        routing.outage();
        assert_eq!(routing, Routing::Routed);
    }

    #[test]
    fn what_is_on_disk_waits_for_as_long_as_it_takes() {
        let start = Instant::now();
        let mut routing = Routing::Unknown;
        assert!(routing.returned(start, true));
        let late = start + 10 * MAX_WAIT;
        assert!(routing.returned(late, true));
        assert_eq!(routing.next_probe(), Some(late + LATE_PROBE_INTERVAL));
    }

    #[test]
    fn one_message_that_gets_through_ends_the_waiting() {
        let mut routing = Routing::Routed;
        assert!(routing.returned(Instant::now(), false));
        routing.routed();
        assert_eq!(routing, Routing::Routed);
        assert_eq!(routing.next_probe(), None);
    }
}
