//! How the parts are doing, for health checks and the collector's own metrics.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// The connection to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerState {
    /// No broker is configured.
    None,
    Connecting,
    Consuming,
}

/// Written by each part for itself, read by all.
#[derive(Debug, Default)]
pub struct Condition {
    broker: AtomicU8,
    pub(crate) broker_connects: AtomicU64,
    /// Local connections that are open.
    pub(crate) local_connections: AtomicU64,
    /// Pages that are open.
    pub(crate) watchers: AtomicU64,
    /// Bytes of scrapes, and how many there were.
    pub(crate) scrapes: AtomicU64,
    pub(crate) scrape_us: AtomicU64,
    pub(crate) last_scrape_us: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) last_commit_us: AtomicU64,
    pub(crate) store_bytes: AtomicU64,
    /// The last attempt to store failed.
    pub(crate) store_fails: AtomicBool,
    /// The end has begun.
    pub(crate) ending: AtomicBool,
}

impl Condition {
    pub fn broker(&self) -> BrokerState {
        match self.broker.load(Ordering::Relaxed) {
            0 => BrokerState::None,
            1 => BrokerState::Connecting,
            _ => BrokerState::Consuming,
        }
    }

    pub(crate) fn set_broker(&self, state: BrokerState) {
        let state = match state {
            BrokerState::None => 0,
            BrokerState::Connecting => 1,
            BrokerState::Consuming => 2,
        };
        self.broker.store(state, Ordering::Relaxed);
    }

    /// Why messages are not counted now; `None` if they are.
    pub fn unready(&self) -> Option<&'static str> {
        if self.ending.load(Ordering::Relaxed) {
            Some("ending")
        } else if self.store_fails.load(Ordering::Relaxed) {
            Some("the state cannot be written")
        } else if self.broker() == BrokerState::Connecting {
            Some("no connection to the broker")
        } else {
            None
        }
    }
}
