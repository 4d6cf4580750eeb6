//! Quantiles of exponential buckets, as Prometheus' `histogram_quantile` has them for native
//! histograms: within a bucket numbers are taken to be spread evenly on a logarithmic scale.

use crate::aggregate::exponential::{lower_bound, upper_bound};
use crate::aggregate::frame::Calls;

/// The time in seconds that a share of the calls did not exceed; 0 without calls.
#[allow(clippy::cast_precision_loss)] // Counts are exact up to 2^53.
pub fn quantile(calls: &Calls, share: f64) -> f64 {
    let count = calls.zero + calls.buckets.total();
    let rank = share * count as f64;
    let mut below = calls.zero as f64;
    if count == 0 || rank <= below {
        return 0.0;
    }
    let mut last = 0.0;
    for (index, bucket) in calls.buckets.iter() {
        let (lower, upper) = (lower_bound(index), upper_bound(index));
        if below + bucket as f64 >= rank {
            return lower * (upper / lower).powf((rank - below) / bucket as f64);
        }
        below += bucket as f64;
        last = upper;
    }
    last
}
