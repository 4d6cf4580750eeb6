//! A histogram: an exponential one, and classic buckets beside it.

use std::sync::Arc;

use crate::aggregate::exponential::{Exponential, lower_bound, upper_bound};

#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    pub sum: f64,
    pub exponential: Exponential,
    /// Upper bounds of the classic buckets, rising; shared by the series of a family.
    pub bounds: Arc<[f64]>,
    /// For each bound the observations up to it that no lower bucket has.
    pub classic: Box<[u64]>,
}

impl Histogram {
    pub fn new(bounds: &Arc<[f64]>) -> Self {
        Self {
            sum: 0.0,
            exponential: Exponential::default(),
            bounds: Arc::clone(bounds),
            classic: vec![0; bounds.len()].into(),
        }
    }

    #[inline]
    pub fn observe(&mut self, number: f64) {
        self.sum += number;
        self.exponential.observe(number);
        // Counting them all takes less time than stopping at the right one.
        let bucket = self.bounds.iter().filter(|bound| **bound < number).count();
        if let Some(count) = self.classic.get_mut(bucket) {
            *count += 1;
        }
    }

    pub fn count(&self) -> u64 {
        self.exponential.count()
    }

    /// Bounds of the classic buckets, and the observations up to each.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut total = 0;
        self.bounds.iter().zip(&self.classic).map(move |(bound, count)| {
            total += count;
            (*bound, total)
        })
    }

    /// Makes classic buckets out of the exponential ones: right to within one of those.
    pub(crate) fn set_bounds(&mut self, bounds: &Arc<[f64]>) {
        self.bounds = Arc::clone(bounds);
        self.classic = vec![0; bounds.len()].into();
        let Exponential { zero, positive, negative } = &self.exponential;
        let negative = negative.iter().map(|(index, count)| (-lower_bound(index), count));
        let positive = positive.iter().map(|(index, count)| (upper_bound(index), count));
        for (number, count) in negative.chain([(0.0, *zero)]).chain(positive) {
            let bucket = bounds.iter().filter(|bound| **bound < number).count();
            if let Some(classic) = self.classic.get_mut(bucket) {
                *classic += count;
            }
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let exponential = &self.exponential;
        exponential.positive.heap_bytes()
            + exponential.negative.heap_bytes()
            + self.classic.len() * size_of::<u64>()
    }
}

/// Classic buckets unless others are chosen.
pub(crate) fn default_bounds(unit: &str) -> Arc<[f64]> {
    match unit {
        "seconds" => [
            0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
            5.0,
        ]
        .into(),
        // 64 B to 4 GiB.
        "bytes" => (3..17).map(|power| 4_f64.powi(power)).collect(),
        _ => [
            0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1_000.0, 10_000.0,
            100_000.0,
        ]
        .into(),
    }
}
