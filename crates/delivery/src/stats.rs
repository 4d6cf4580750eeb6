//! What became of the records of one handler.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Why records were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The buffer was full; the oldest went.
    Full,
    /// The broker took them and no queue got them.
    Unroutable,
    /// The broker closed the channel over this very message, more than once.
    Refused,
    /// The spool was full and the oldest went, or it could not be read.
    Spool,
    /// A publisher gave up waiting and was told so.
    Withdrawn,
    /// The handler was closed before they could be delivered.
    Closed,
    /// Making messages of them failed, which is a mistake in here.
    Failed,
}

impl Reason {
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Unroutable,
        Self::Refused,
        Self::Spool,
        Self::Withdrawn,
        Self::Closed,
        Self::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unroutable => "unroutable",
            Self::Refused => "refused",
            Self::Spool => "spool",
            Self::Withdrawn => "withdrawn",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was handed over yet.
    Idle,
    Connecting,
    Connected,
    /// Connected, and the broker takes nothing for now.
    Blocked,
    Closed,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Idle, Self::Connecting, Self::Connected, Self::Blocked, Self::Closed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
        }
    }
}

/// Counts of records, but for `messages` and `reconnects`.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) confirmed: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) returned: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) nacked: AtomicU64,
    pub(super) adopted: AtomicU64,
    pub(super) reconnects: AtomicU64,
    /// In messages that left the buffer and are not settled.
    pub(super) outstanding: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) spooled: AtomicU64,
    dropped: [AtomicU64; Reason::ALL.len()],
    state: AtomicU8,
    last_error: Mutex<Option<String>>,
    /// Since when the oldest message waits.
    oldest: Mutex<Option<Instant>>,
}

/// The counts of one moment.
#[derive(Clone, Debug)]
pub struct Stats {
    pub state: State,
    /// Records that wait to be sent.
    pub queued: u64,
    /// Records sent and not confirmed yet.
    pub in_flight: u64,
    pub confirmed: u64,
    /// Messages confirmed.
    pub messages: u64,
    /// Records that came back because no queue got them, each time they did.
    pub returned: u64,
    /// Records sent again, each time they were.
    pub retried: u64,
    /// Records that the broker refused to take for now, each time it did.
    pub nacked: u64,
    /// Records taken over from the spool of a process that is gone.
    pub adopted: u64,
    /// Records on disk.
    pub spooled: u64,
    pub dropped: [(Reason, u64); Reason::ALL.len()],
    pub reconnects: u64,
    pub last_error: Option<String>,
    /// Since when the oldest record waits that the broker has not got.
    pub queue_age: Duration,
}

impl Counters {
    pub(super) fn drop(&self, reason: Reason, records: u64) {
        add(&self.dropped[reason as usize], records);
    }

    /// Records given up so far for that reason.
    pub(super) fn dropped(&self, reason: Reason) -> u64 {
        get(&self.dropped[reason as usize])
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_oldest(&self, since: Option<Instant>) {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(super) fn set_last_error(&self, text: &str) {
        let mut held = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(text.to_owned());
    }

    pub(super) fn snapshot(&self, buffered: u64, queue_age: Duration) -> Stats {
        let in_flight = get(&self.in_flight);
        Stats {
            state: self.state(),
            queued: buffered + get(&self.outstanding).saturating_sub(in_flight),
            in_flight,
            confirmed: get(&self.confirmed),
            messages: get(&self.messages),
            returned: get(&self.returned),
            retried: get(&self.retried),
            nacked: get(&self.nacked),
            adopted: get(&self.adopted),
            spooled: get(&self.spooled),
            dropped: Reason::ALL.map(|reason| (reason, get(&self.dropped[reason as usize]))),
            reconnects: get(&self.reconnects),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            queue_age,
        }
    }
}

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

pub(super) fn subtract(counter: &AtomicU64, count: u64) {
    counter.fetch_sub(count, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
