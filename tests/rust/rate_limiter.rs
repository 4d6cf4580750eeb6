//! When a repeated log line is written.

use std::time::{Duration, Instant};

use phanos_core::rate_limiter::RateLimiter;

const INTERVAL: Duration = Duration::from_secs(60);

#[test]
fn the_first_line_of_a_kind_is_written_at_once_and_then_one_a_minute() {
    let mut limiter = RateLimiter::default();
    let start = Instant::now();
    assert_eq!(limiter.admit("labels", start), Some(0));
    assert_eq!(limiter.admit("value", start), Some(0));
    let last = start + INTERVAL.checked_sub(Duration::from_nanos(1)).expect("positive");
    assert_eq!(limiter.admit("labels", start), None);
    assert_eq!(limiter.admit("labels", last), None);
    assert_eq!(limiter.admit("labels", start + INTERVAL), Some(2));
    assert_eq!(limiter.admit("labels", start + INTERVAL), None);
    assert_eq!(limiter.admit("value", start + INTERVAL), Some(0));
}

#[test]
fn the_limiter_forgets_rather_than_grows() {
    let mut limiter = RateLimiter::default();
    let now = Instant::now();
    for kind in 0..100_000 {
        assert_eq!(limiter.admit(&kind.to_string(), now), Some(0));
    }
    // The first kind was forgotten meanwhile, so its next line is written at once.
    assert_eq!(limiter.admit("0", now), Some(0));
}
