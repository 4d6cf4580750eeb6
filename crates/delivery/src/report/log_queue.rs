//! Log lines of the network side, which wait here until a thread that holds the interpreter lock
//! takes and logs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use phanos_core::rate_limiter::RateLimiter;

use crate::report::one_line::one_line;

/// How many lines wait at most. A line that comes when the queue is full is lost.
const MAX_LINES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Info,
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub level: LogLevel,
    pub text: String,
}

#[derive(Default)]
pub(crate) struct LogQueue {
    inner: Mutex<Inner>,
    /// Not behind the lock, since every hand-over of records reads it.
    is_filled: AtomicBool,
}

#[derive(Default)]
struct Inner {
    lines: Vec<LogLine>,
    limiter: RateLimiter,
}

impl LogQueue {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, unless one of the same `kind` was added within the last minute.
    pub(crate) fn push(&self, level: LogLevel, kind: &str, text: &str) {
        let mut inner = self.inner();
        if inner.lines.len() >= MAX_LINES {
            return;
        }
        let Some(left_out) = inner.limiter.admit(kind, Instant::now()) else { return };
        let text = one_line(text);
        let text = match left_out {
            0 => text.into_owned(),
            count => format!("{text} ({count} more since the last line)"),
        };
        inner.lines.push(LogLine { level, text });
        self.is_filled.store(true, Ordering::Release);
    }

    /// True if lines are waiting.
    pub(crate) fn is_filled(&self) -> bool {
        self.is_filled.load(Ordering::Acquire)
    }

    /// The waiting lines, oldest first.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        let mut inner = self.inner();
        self.is_filled.store(false, Ordering::Release);
        std::mem::take(&mut inner.lines)
    }
}
