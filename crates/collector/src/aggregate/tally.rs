//! What the collector counts of its own work.

use crate::intake::reason::Reason;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub messages: u64,
    /// Messages that had come before, and were not counted again.
    pub duplicates: u64,
    /// Messages that say not which ones they are: what comes twice is counted twice.
    pub unnumbered: u64,
    /// Records that were counted.
    pub records: u64,
    /// Of those, the ones that went to an overflow series.
    pub overflowed: u64,
    /// Series that were left out because nothing came for them any more.
    pub expired: u64,
    bad: [u64; Reason::ALL.len()],
}

impl Tally {
    /// Notes something bad.
    pub(crate) fn add_bad(&mut self, reason: Reason) {
        self.bad[reason as usize] += 1;
    }

    /// Bad records by reason; what ends the reading of a body counts once.
    pub fn bad(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.bad)
    }
}

/// What became of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// It came before, and was not read.
    pub duplicate: bool,
    /// Records that were counted.
    pub records: u64,
    /// What was not counted, and the first reason.
    pub bad: u64,
    pub reason: Option<Reason>,
}
