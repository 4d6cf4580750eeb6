//! Lines for the operator, of each kind at most one a minute.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use phanos_core::rate_limiter::RateLimiter;
use phanos_delivery::LogLevel;

type Sink = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Gives lines to a function that must not block.
pub struct Log {
    sink: Sink,
    limiter: Mutex<RateLimiter>,
}

impl Log {
    pub fn new(sink: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        Self { sink: Box::new(sink), limiter: Mutex::default() }
    }

    pub(crate) fn warn(&self, kind: &str, text: &str) {
        self.write(LogLevel::Warning, kind, text);
    }

    pub(crate) fn info(&self, kind: &str, text: &str) {
        self.write(LogLevel::Info, kind, text);
    }

    fn write(&self, level: LogLevel, kind: &str, text: &str) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = limiter.admit(kind, Instant::now()) else { return };
        drop(limiter);
        match left_out {
            0 => (self.sink)(level, text),
            count => (self.sink)(level, &format!("{text} ({count} more since the last line)")),
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Log")
    }
}
