//! What has changed since it was last stored: rows, and keys of rows that are gone.

use std::ops::Range;

/// Rows by name.
pub type NamedRows = Vec<(Box<str>, Vec<u8>)>;

/// To be stored in one transaction.
#[derive(Debug, Default)]
pub struct Changes {
    pub(crate) families: NamedRows,
    pub(crate) workers: NamedRows,
    pub(crate) forgotten_workers: Vec<Box<str>>,
    /// Places of the series.
    pub(crate) places: Vec<u32>,
    /// Ids of the series, and where in `bytes` their rows are.
    series: Vec<(u64, Range<usize>)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) removed_series: Vec<u64>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
            && self.workers.is_empty()
            && self.forgotten_workers.is_empty()
            && self.series.is_empty()
            && self.removed_series.is_empty()
    }

    pub fn families(&self) -> &NamedRows {
        &self.families
    }

    pub fn workers(&self) -> &NamedRows {
        &self.workers
    }

    pub fn forgotten_workers(&self) -> &[Box<str>] {
        &self.forgotten_workers
    }

    pub fn series(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.series.iter().map(|(id, range)| (*id, &self.bytes[range.clone()]))
    }

    pub fn removed_series(&self) -> &[u64] {
        &self.removed_series
    }

    /// Adds the row of a series, which is what was appended to `bytes` from `start` on.
    pub(crate) fn add_series(&mut self, place: u32, id: u64, start: usize) {
        self.places.push(place);
        self.series.push((id, start..self.bytes.len()));
    }
}

/// All that was stored.
#[derive(Debug, Default)]
pub struct Stored {
    pub families: NamedRows,
    pub workers: NamedRows,
    pub series: Vec<(u64, Vec<u8>)>,
}
