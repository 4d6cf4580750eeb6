//! When a log line that repeats may be written again: the first of a kind at once, then at
//! most one a minute, with the number of those that were left out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The shortest time between two lines of one kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many kinds are remembered. When there are more, all are forgotten, so the next line of
/// each kind is written at once.
const MAX_KINDS: usize = 1024;

struct Kind {
    last_admitted: Instant,
    left_out: u64,
}

/// Decides for each log line whether it is written.
#[derive(Default)]
pub struct RateLimiter {
    kinds: HashMap<String, Kind>,
}

impl RateLimiter {
    /// `Some(n)` if a line of this kind may be written now, with `n` the number of lines of the
    /// kind that were left out since the last one; `None` if it is to be left out.
    pub fn admit(&mut self, kind: &str, now: Instant) -> Option<u64> {
        if let Some(known) = self.kinds.get_mut(kind) {
            if now.saturating_duration_since(known.last_admitted) < INTERVAL {
                known.left_out += 1;
                return None;
            }
            known.last_admitted = now;
            return Some(std::mem::take(&mut known.left_out));
        }
        if self.kinds.len() >= MAX_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(kind.to_owned(), Kind { last_admitted: now, left_out: 0 });
        Some(0)
    }
}
