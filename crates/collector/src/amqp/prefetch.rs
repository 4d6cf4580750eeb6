//! How many messages the broker may send ahead: so many that they make up a number of bytes, as far
//! as their sizes are known, since the broker counts messages alone.

/// What a message is taken for until others have come: as large as senders make them.
const LARGE_BYTES: u64 = 256 * 1024;
const LEAST: u16 = 16;
/// RabbitMQ takes more, and lapin keeps them all in memory, each with its properties.
const MOST: u16 = 32_000;
/// The share that the newest message has in the average.
const NEWEST: f64 = 1.0 / 256.0;

#[derive(Debug)]
pub(crate) struct Prefetch {
    bytes: u64,
    average: f64,
    /// What the broker was told.
    current: u16,
}

impl Prefetch {
    #[allow(clippy::cast_precision_loss)] // An average need not be exact.
    pub(crate) fn new(bytes: u64) -> Self {
        let mut prefetch = Self { bytes, average: LARGE_BYTES as f64, current: LEAST };
        prefetch.current = prefetch.wanted();
        prefetch
    }

    pub(crate) fn current(&self) -> u16 {
        self.current
    }

    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn add(&mut self, bytes: usize) {
        self.average += (bytes as f64 - self.average) * NEWEST;
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn wanted(&self) -> u16 {
        let messages = self.bytes as f64 / self.average.max(256.0);
        messages.clamp(LEAST.into(), MOST.into()) as u16
    }

    /// Another number, if the current one is far from right.
    pub(crate) fn change(&mut self) -> Option<u16> {
        let wanted = self.wanted();
        let is_far = wanted > self.current.saturating_mul(2) || wanted < self.current / 2;
        is_far.then(|| {
            self.current = wanted;
            wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_may_be_many() {
        let mut prefetch = Prefetch::new(64 << 20);
        assert_eq!(prefetch.current(), 256);
        assert_eq!(prefetch.change(), None);
        for _ in 0..10_000 {
            prefetch.add(172);
        }
        assert_eq!(prefetch.change(), Some(MOST));
        assert_eq!(prefetch.change(), None);
        for _ in 0..10_000 {
            prefetch.add(4 << 20);
        }
        assert_eq!(prefetch.change(), Some(LEAST));
    }
}
