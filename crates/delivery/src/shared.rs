//! What callers and the network side of one handler share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::buffer::Buffer;
use super::notices::{Level, Notices};
use super::settings::Settings;
use super::stats::{Counters, Reason};

pub(super) struct Shared {
    pub(super) settings: Settings,
    /// Names this process and handler in messages.
    pub(super) worker: Box<str>,
    pub(super) buffer: Buffer,
    pub(super) counters: Counters,
    pub(super) notices: Notices,
    last_id: AtomicU64,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            worker: worker_id(),
            buffer: Buffer::new(settings.buffer_bytes),
            settings,
            counters: Counters::default(),
            notices: Notices::default(),
            last_id: AtomicU64::new(0),
        }
    }

    /// A name that nothing else has, in this process or another.
    pub(super) fn unique_id(&self) -> Box<str> {
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.worker).into()
    }

    /// Counts records that are given up, and has it told.
    pub(super) fn give_up(&self, reason: Reason, records: u64) {
        if records == 0 {
            return;
        }
        self.counters.drop(reason, records);
        let why = match reason {
            Reason::Full => "the buffer is full, the oldest went (buffer_bytes)",
            Reason::Unroutable => {
                "the broker took them and no queue got them: nobody consumes from the exchange"
            }
            Reason::Refused => "the broker closes the channel over them",
            Reason::Failed => "a mistake in phanos; please report it",
            Reason::Spool => "the spool is full or cannot be read",
            // Whoever withdrew or closed knows.
            Reason::Withdrawn => return,
            Reason::Closed => "the handler was closed before they could be delivered",
        };
        // Most lines of a kind are left out, so each tells all that came before it.
        let text = format!("{} records dropped: {why}", self.counters.dropped(reason));
        self.notices.tell(Level::Warning, reason.name(), &text);
    }

    /// Notes what went wrong with the connection.
    pub(super) fn failed(&self, kind: &str, text: &str) {
        self.counters.set_last_error(text);
        self.notices.tell(Level::Warning, kind, text);
    }

    /// How long the oldest record waits that the broker has not got.
    pub(super) fn oldest_age(&self) -> Duration {
        let now = Instant::now();
        let buffered = self.buffer.age(now).unwrap_or_default();
        let sending = self.counters.oldest().map(|since| now.saturating_duration_since(since));
        buffered.max(sending.unwrap_or_default())
    }
}

/// Different for every process and handler.
fn worker_id() -> Box<str> {
    use std::hash::{BuildHasher, RandomState};
    use std::time::SystemTime;

    let process = std::process::id();
    // A forked child has its parent's random state, hence process and time.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let random = RandomState::new().hash_one((process, now.as_nanos()));
    format!("{process:x}-{:x}-{random:016x}", now.as_micros()).into()
}
