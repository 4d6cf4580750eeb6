//! What callers and the engine of one handler share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::link::envelope::{Envelope, number_of_id};
use crate::messages::outbox::Outbox;
use crate::process::unique::unique_name;
use crate::records::buffer::Buffer;
use crate::report::log_queue::{LogLevel, LogQueue};
use crate::report::stats::{Counters, DropReason};
use crate::settings::Settings;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// Names this process and handler in messages.
    pub(crate) worker: Box<str>,
    pub(crate) buffer: Buffer,
    pub(crate) counters: Counters,
    pub(crate) log_queue: LogQueue,
    /// The messages of an engine that was dropped in the middle of its work, for the next one.
    pub(crate) orphans: Mutex<Option<Outbox>>,
    /// No engine works any more, though none was stopped perhaps.
    pub(crate) abandoned: AtomicBool,
    last_id: AtomicU64,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            worker: unique_name(),
            buffer: Buffer::new(settings.buffer_bytes),
            settings,
            counters: Counters::default(),
            log_queue: LogQueue::default(),
            orphans: Mutex::default(),
            abandoned: AtomicBool::new(false),
            last_id: AtomicU64::new(0),
        }
    }

    /// A name that no other message or file has, in this process or another.
    pub(crate) fn unique_id(&self) -> Box<str> {
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.worker).into()
    }

    /// The number of a message of this worker.
    pub(crate) fn number_of(&self, envelope: &Envelope) -> Option<u64> {
        number_of_id(&self.worker, &envelope.id)
    }

    /// Counts and logs records that are dropped.
    pub(crate) fn count_dropped(&self, reason: DropReason, records: u64) {
        if records > 0 {
            self.counters.add_dropped(reason, records);
            self.log_dropped(reason, self.counters.dropped(reason));
        }
    }

    /// Logs that records were dropped, `total` of them so far: most lines of a kind are left out.
    pub(crate) fn log_dropped(&self, reason: DropReason, total: u64) {
        let wording = self.settings.connector.wording();
        let why = match reason {
            DropReason::Full => "the buffer is full, the oldest went (buffer_bytes)",
            DropReason::Unroutable => wording.unroutable,
            DropReason::Refused => wording.blamed,
            DropReason::Failed => "a mistake in phanos; please report it",
            DropReason::Spool => "the spool is full or cannot be read",
            // The caller learns it from the reply.
            DropReason::Withdrawn => return,
            DropReason::Closed => "the handler was closed before they could be delivered",
        };
        let text = format!("{total} records dropped: {why}");
        self.log_queue.push(LogLevel::Warning, reason.name(), &text);
    }

    /// Notes and logs what went wrong. Of one `kind` at most one line a minute is logged.
    pub(crate) fn log_error(&self, kind: &str, text: &str) {
        self.counters.set_last_error(text);
        self.log_queue.push(LogLevel::Warning, kind, text);
    }

    /// The age of the oldest record that is neither confirmed nor dropped.
    pub(crate) fn oldest_age(&self) -> Duration {
        let now = Instant::now();
        let in_buffer = self.buffer.age(now).unwrap_or_default();
        let in_outbox = self.counters.oldest().map(|since| now.saturating_duration_since(since));
        in_buffer.max(in_outbox.unwrap_or_default())
    }
}
