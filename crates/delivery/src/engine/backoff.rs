//! Pauses between attempts to connect: longer each time, and different in each process.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest pause: a receiver that is back is found soon.
const LONGEST: Duration = Duration::from_secs(5);

pub(crate) struct Backoff {
    first: Duration,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration) -> Self {
        Self { first: first.clamp(Duration::from_millis(10), LONGEST), attempt: 0 }
    }

    /// Lets the next pause be the first one again.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// The shortest full pause.
    pub(crate) fn shortest(&self) -> Duration {
        self.first
    }

    /// The next pause: twice as long each time up to the longest, less a random part of up to half,
    /// so that many workers do not connect at the same moment.
    pub(crate) fn next(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.attempt.min(16)).min(LONGEST);
        self.attempt = self.attempt.saturating_add(1);
        full.mul_f64(1.0 - random_fraction() / 2.0)
    }
}

/// A random number from 0 to 1, good enough to spread workers out.
fn random_fraction() -> f64 {
    // Each new state has other random keys.
    let random = RandomState::new().hash_one(std::process::id()) >> 32;
    f64::from(u32::try_from(random).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew() {
        let first = Duration::from_millis(100);
        let mut backoff = Backoff::new(first);
        for attempt in 0..40 {
            let full = first.saturating_mul(1 << attempt.min(16)).min(LONGEST);
            let pause = backoff.next();
            assert!(pause <= full && pause >= full / 2, "{attempt}: {pause:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= first);
    }

    #[test]
    fn pauses_differ() {
        let pauses: std::collections::HashSet<_> =
            (0..16).map(|_| Backoff::new(LONGEST).next()).collect();
        assert!(pauses.len() > 8);
    }
}
