//! Exponential histograms as Prometheus' native ones, schema 3: each bucket 9 % wider than the one
//! before, eight to a doubling.

pub const SCHEMA: i32 = 3;
/// Numbers up to this magnitude (2^-128) are in the zero bucket.
pub const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// The fractions, from a half on, at which a doubling's eight buckets end.
const BOUNDS: [f64; 8] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    0.707_106_781_186_547_5,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_4,
    0.917_004_043_204_671_1,
];

const FRACTION_BITS: u32 = 52;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;

/// The bucket of a number above [`ZERO_THRESHOLD`]: that whose upper bound, 2^(index/8), is the
/// first not below it.
#[inline]
pub fn index_of(number: f64) -> i16 {
    let bits = number.to_bits();
    let fraction = bits & FRACTION;
    // Normal numbers alone: the smallest of them is far below the threshold.
    let exponent = i16::try_from((bits >> FRACTION_BITS) & 0x7ff).unwrap_or(i16::MAX) - 1022;
    let below = BOUNDS.iter().filter(|bound| bound.to_bits() & FRACTION < fraction).count();
    (exponent - 1) * 8 + i16::try_from(below).unwrap_or(0)
}

/// The largest number in a bucket of positive ones.
pub(crate) fn upper_bound(index: i16) -> f64 {
    2_f64.powf(f64::from(index) / 8.0)
}

/// What all numbers in a bucket of positive ones are above.
pub(crate) fn lower_bound(index: i16) -> f64 {
    2_f64.powf((f64::from(index) - 1.0) / 8.0)
}

/// Counts by bucket, of those that are not empty.
///
/// One word each, sorted: the index above the count, which 48 bits have room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets(Vec<u64>);

const COUNT_BITS: u32 = 48;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Vectors grow by this many buckets: doubling would take memory that is rarely used.
const GROWTH: usize = 4;

/// The upper bits of a word: indices in the order of numbers without a sign.
fn key(index: i16) -> u64 {
    let shifted = u16::from_ne_bytes(index.to_ne_bytes()) ^ 0x8000;
    u64::from(shifted) << COUNT_BITS
}

fn index(word: u64) -> i16 {
    let shifted = u16::try_from(word >> COUNT_BITS).unwrap_or(0) ^ 0x8000;
    i16::from_ne_bytes(shifted.to_ne_bytes())
}

impl Buckets {
    #[inline]
    pub fn add(&mut self, bucket: i16, count: u64) {
        let key = key(bucket);
        let place = self.0.partition_point(|word| *word < key);
        match self.0.get_mut(place) {
            Some(word) if *word & !COUNT == key => *word += count.min(COUNT - (*word & COUNT)),
            _ => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(GROWTH);
                }
                self.0.insert(place, key | count.min(COUNT));
            }
        }
    }

    /// Indices and counts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i16, u64)> {
        self.0.iter().map(|word| (index(*word), word & COUNT))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn total(&self) -> u64 {
        self.0.iter().map(|word| word & COUNT).sum()
    }

    /// What was added since these were as in `before`.
    pub(crate) fn less(&self, before: &Self) -> Self {
        let mut older = before.0.iter().peekable();
        let mut difference = Vec::new();
        for word in &self.0 {
            let mut count = word & COUNT;
            if let Some(old) = older.next_if(|old| **old & !COUNT == word & !COUNT) {
                count -= (old & COUNT).min(count);
            }
            if count > 0 {
                difference.push((word & !COUNT) | count);
            }
        }
        Self(difference)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exponential {
    pub zero: u64,
    pub positive: Buckets,
    pub negative: Buckets,
}

impl Exponential {
    #[inline]
    pub fn observe(&mut self, number: f64) {
        if number > ZERO_THRESHOLD {
            self.positive.add(index_of(number), 1);
        } else if number < -ZERO_THRESHOLD {
            self.negative.add(index_of(-number), 1);
        } else {
            self.zero += 1;
        }
    }

    pub fn count(&self) -> u64 {
        self.zero + self.positive.total() + self.negative.total()
    }
}
