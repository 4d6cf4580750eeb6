//! A frame: the calls of all paths in a span of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregate::exponential::Buckets;
use crate::aggregate::row::{RowReader, RowWriter};

/// The calls of one path in some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    pub calls: u64,
    pub errors: u64,
    /// The most calls for one call of the root.
    pub largest: u64,
    /// Seconds.
    pub total: f64,
    /// Calls that took no time that could be measured.
    pub zero: u64,
    pub buckets: Buckets,
}

impl Calls {
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.largest = self.largest.max(other.largest);
        self.total += other.total;
        self.zero += other.zero;
        for (index, count) in other.buckets.iter() {
            self.buckets.add(index, count);
        }
    }
}

/// What was counted from one moment to another, in milliseconds of the epoch.
///
/// A path that was called takes some 15 bytes, and two or three more for each of its buckets.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub from_ms: u64,
    pub to_ms: u64,
    /// Rows in the order of paths.
    rows: Box<[u8]>,
}

impl Frame {
    pub fn new(from_ms: u64, to_ms: u64, calls: &BTreeMap<u32, Calls>) -> Self {
        let mut row = RowWriter::default();
        let mut last = 0;
        for (path, calls) in calls {
            row.integer(u64::from(path - last));
            last = *path;
            row.integer(calls.calls);
            row.integer(calls.errors);
            row.integer(calls.largest);
            row.float(calls.total);
            row.integer(calls.zero);
            row.length(calls.buckets.len());
            let mut before = 0_i32;
            for (index, count) in calls.buckets.iter() {
                // The first may be negative; the others rise.
                let step = i32::from(index) - before;
                row.integer(u64::from((step << 1 ^ step >> 31).cast_unsigned()));
                before = i32::from(index);
                row.integer(count);
            }
        }
        Self { from_ms, to_ms, rows: row.0.into() }
    }

    /// Several frames as one.
    pub fn joined(frames: &[Arc<Self>]) -> Self {
        let mut sums = BTreeMap::new();
        for frame in frames {
            frame.add_to(&mut sums, |_| true);
        }
        let from_ms = frames.iter().map(|frame| frame.from_ms).min().unwrap_or(0);
        let to_ms = frames.iter().map(|frame| frame.to_ms).max().unwrap_or(0);
        Self::new(from_ms, to_ms, &sums)
    }

    /// Adds the calls of the paths that are `wanted`.
    pub fn add_to(&self, sums: &mut BTreeMap<u32, Calls>, wanted: impl Fn(u32) -> bool) {
        let mut row = RowReader(&self.rows);
        let mut path = 0;
        let mut calls = Calls::default();
        while let Some(step) = row.integer() {
            path += u32::try_from(step).unwrap_or(0);
            // Written by `new`, so it can be read.
            if read(&mut row, &mut calls).is_none() {
                return;
            }
            if wanted(path) {
                sums.entry(path).or_default().add(&calls);
            }
        }
    }

    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.rows.len()
    }
}

fn read(row: &mut RowReader<'_>, calls: &mut Calls) -> Option<()> {
    calls.calls = row.integer()?;
    calls.errors = row.integer()?;
    calls.largest = row.integer()?;
    calls.total = row.float()?;
    calls.zero = row.integer()?;
    calls.buckets.clear();
    let mut index = 0_i32;
    for _ in 0..row.integer()? {
        let step = u32::try_from(row.integer()?).ok()?;
        index += (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
        calls.buckets.add(i16::try_from(index).ok()?, row.integer()?);
    }
    Some(())
}
