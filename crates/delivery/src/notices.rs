//! What there is to tell, until a thread that holds the interpreter comes by and logs it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use phanos_core::rate_limiter::RateLimiter;

/// Lines kept at most; what does not fit is counted by the next line of its kind.
const LINES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub level: Level,
    pub text: String,
}

#[derive(Default)]
pub(super) struct Notices {
    inner: Mutex<Inner>,
    /// Read by every hand-over, so apart from the lock.
    waiting: AtomicBool,
}

#[derive(Default)]
struct Inner {
    lines: Vec<Notice>,
    limiter: RateLimiter,
}

impl Notices {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a line; of one `kind` at most one a minute.
    pub(super) fn tell(&self, level: Level, kind: &str, text: &str) {
        let mut inner = self.inner();
        if inner.lines.len() >= LINES {
            return;
        }
        let Some(left_out) = inner.limiter.admit(kind, Instant::now()) else { return };
        let text = match left_out {
            0 => text.to_owned(),
            count => format!("{text} ({count} more since the last line)"),
        };
        inner.lines.push(Notice { level, text });
        self.waiting.store(true, Ordering::Release);
    }

    /// True if there is something to log.
    pub(super) fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// The lines so far.
    pub(super) fn take(&self) -> Vec<Notice> {
        let mut inner = self.inner();
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut inner.lines)
    }
}
