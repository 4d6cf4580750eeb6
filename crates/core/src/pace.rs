//! When a log line that repeats may be written again: the first of a kind at once, then at
//! most one a minute, with the number of those that were left out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The shortest time between two lines of one kind.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Kinds remembered at most; beyond it the oldest knowledge is dropped, and a kind may be
/// told twice.
const KINDS: usize = 1024;

struct Kind {
    told: Instant,
    left_out: u64,
}

/// Decides for each line whether it is due.
#[derive(Default)]
pub struct Pace {
    kinds: HashMap<String, Kind>,
}

impl Pace {
    /// `Some(n)` if a line of this kind is due, with `n` the lines of it left out before.
    pub fn due(&mut self, kind: &str, now: Instant) -> Option<u64> {
        if let Some(known) = self.kinds.get_mut(kind) {
            if now.saturating_duration_since(known.told) < INTERVAL {
                known.left_out += 1;
                return None;
            }
            known.told = now;
            return Some(std::mem::take(&mut known.left_out));
        }
        if self.kinds.len() >= KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(kind.to_owned(), Kind { told: now, left_out: 0 });
        Some(0)
    }
}
