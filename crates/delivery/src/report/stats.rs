//! Counts of what became of the records of one handler.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::records::buffer::BufferCounts;
use crate::report::one_line::one_line;

/// Why records were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The buffer was full; the oldest records made room.
    Full,
    /// The receiver took them and could pass them on to no consumer.
    Unroutable,
    /// The receiver broke the link over this very message, more than once.
    Refused,
    /// The spool was full and the oldest messages made room, or it could not be read.
    Spool,
    /// The message was not sent by its caller's deadline, and the caller was told so.
    Withdrawn,
    /// The handler was closed before they could be delivered.
    Closed,
    /// Encoding them panicked, which is a mistake in this crate.
    Failed,
}

impl DropReason {
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

/// The state of the connection to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// No record was handed over yet, so no connection was opened.
    Idle,
    Connecting,
    Connected,
    /// Connected, and the receiver takes no messages for now.
    Blocked,
    Closed,
}

impl ConnectionState {
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

/// Counts of records; `messages` and `reconnects` count what they say.
///
/// A record that is handed over or adopted is confirmed, dropped, queued, in flight or left on
/// disk, and never two of these. Counts are changed by one task while it holds [`Self::moment`], and
/// read while that is held: so the counts of one moment add up.
#[derive(Default)]
pub(crate) struct Counters {
    moment: Mutex<()>,
    /// Records handed over as messages of their own, beside the buffer.
    pub(crate) published: AtomicU64,
    /// Records on disk that were left there for another process.
    pub(crate) left: AtomicU64,
    pub(crate) confirmed: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) adopted: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    /// Records in messages that are neither confirmed nor dropped.
    pub(crate) outstanding: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) spooled: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    state: AtomicU8,
    last_error: Mutex<Option<String>>,
    /// When the oldest record of the oldest message came.
    oldest: Mutex<Option<Instant>>,
}

/// The counts of one moment.
#[derive(Clone, Debug)]
pub struct Stats {
    pub state: ConnectionState,
    /// Records that callers handed over.
    pub handed_over: u64,
    /// Records that wait to be sent, in the buffer or the outbox.
    pub queued: u64,
    /// Records sent and not confirmed yet.
    pub in_flight: u64,
    pub confirmed: u64,
    /// Messages confirmed.
    pub messages: u64,
    /// Records that came back because no consumer gets them; counted each time.
    pub returned: u64,
    /// Records sent again; counted each time.
    pub retried: u64,
    /// Records that the receiver rejected for now; counted each time.
    pub rejected: u64,
    /// Records taken over from the spool of a dead process.
    pub adopted: u64,
    /// Records on disk.
    pub spooled: u64,
    /// Records that were left on disk when the handler was closed.
    pub left: u64,
    pub dropped: [(DropReason, u64); DropReason::ALL.len()],
    pub reconnects: u64,
    pub last_error: Option<String>,
    /// The age of the oldest record that is neither confirmed nor dropped.
    pub queue_age: Duration,
}

impl Counters {
    /// To be held while counts are changed, and while they are read.
    pub(crate) fn moment(&self) -> MutexGuard<'_, ()> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_dropped(&self, reason: DropReason, records: u64) {
        add(&self.dropped[reason as usize], records);
    }

    /// Records dropped so far for that reason; for [`DropReason::Full`] the buffer knows.
    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        get(&self.dropped[reason as usize])
    }

    pub(crate) fn set_state(&self, state: ConnectionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn state(&self) -> ConnectionState {
        ConnectionState::ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }

    pub(crate) fn oldest(&self) -> Option<Instant> {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_oldest(&self, since: Option<Instant>) {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    pub(crate) fn set_last_error(&self, text: &str) {
        let mut held = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(one_line(text).into_owned());
    }

    /// To be called while the moment is held.
    pub(crate) fn snapshot(&self, buffer: &BufferCounts, queue_age: Duration) -> Stats {
        let outstanding = get(&self.outstanding);
        let in_flight = get(&self.in_flight).min(outstanding);
        let dropped = |reason| match reason {
            DropReason::Full => buffer.dropped,
            other => self.dropped(other),
        };
        Stats {
            handed_over: buffer.came + get(&self.published),
            state: self.state(),
            queued: buffer.waiting + outstanding - in_flight,
            in_flight,
            confirmed: get(&self.confirmed),
            messages: get(&self.messages),
            returned: get(&self.returned),
            retried: get(&self.retried),
            rejected: get(&self.rejected),
            adopted: get(&self.adopted),
            spooled: get(&self.spooled),
            left: get(&self.left),
            dropped: DropReason::ALL.map(|reason| (reason, dropped(reason))),
            reconnects: get(&self.reconnects),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            queue_age,
        }
    }
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

pub(crate) fn subtract(counter: &AtomicU64, count: u64) {
    counter.fetch_sub(count, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
