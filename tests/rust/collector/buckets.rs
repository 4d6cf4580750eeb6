//! Buckets of exponential histograms.

use phanos_collector::{Buckets, Exponential, ZERO_THRESHOLD, index_of};
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn a_bucket_ends_with_its_bound() {
    for doubling in -120_i16..1000 {
        let bound = 2_f64.powi(doubling.into());
        assert_eq!(index_of(bound), doubling * 8, "2^{doubling}");
        assert_eq!(index_of(bound.next_up()), doubling * 8 + 1);
        assert_eq!(index_of(bound.next_down()), doubling * 8);
    }
    assert_eq!(index_of(f64::MAX), 1024 * 8);
}

#[test]
fn numbers_without_a_size_are_in_the_zero_bucket() {
    let mut exponential = Exponential::default();
    for number in [0.0, -0.0, ZERO_THRESHOLD, -ZERO_THRESHOLD, 5e-324] {
        exponential.observe(number);
    }
    exponential.observe(ZERO_THRESHOLD.next_up());
    exponential.observe(-1.0);
    assert_eq!((exponential.zero, exponential.count()), (5, 7));
    assert_eq!(exponential.positive.iter().collect::<Vec<_>>(), [(-128 * 8 + 1, 1)]);
    assert_eq!(exponential.negative.iter().collect::<Vec<_>>(), [(0, 1)]);
}

#[test]
fn a_bucket_never_overflows() {
    let mut buckets = Buckets::default();
    buckets.add(-5, u64::MAX);
    buckets.add(-5, 1);
    buckets.add(7, 1);
    assert_eq!(buckets.iter().collect::<Vec<_>>(), [(-5, (1 << 48) - 1), (7, 1)]);
}

proptest! {
    #[test]
    fn a_number_is_between_the_bounds_of_its_bucket(exponent in -127.0_f64..1023.0) {
        let number = 2_f64.powf(exponent);
        let index = f64::from(index_of(number));
        // Within the precision of `powf`.
        prop_assert!(number <= 2_f64.powf(index / 8.0) * (1.0 + 1e-12));
        prop_assert!(number >= 2_f64.powf((index - 1.0) / 8.0) * (1.0 - 1e-12));
    }

    #[test]
    fn buckets_are_a_sorted_map(added in vec((any::<i16>(), 1_u64..1000), 0..100)) {
        let mut buckets = Buckets::default();
        let mut expected = std::collections::BTreeMap::new();
        for (index, count) in added {
            buckets.add(index, count);
            *expected.entry(index).or_insert(0) += count;
        }
        prop_assert_eq!(buckets.total(), expected.values().sum::<u64>());
        prop_assert_eq!(buckets.len(), expected.len());
        prop_assert_eq!(buckets.iter().collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
    }
}
