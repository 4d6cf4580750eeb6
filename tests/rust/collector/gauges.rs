//! Gauges of several workers.

use std::time::Duration;

use phanos_collector::{Aggregate, Message, Options, Policy};

use crate::bodies::{body, record};
use crate::shown::{START_MS, options, samples_at};

struct Gauges {
    aggregate: Aggregate,
    now_ms: u64,
}

impl Gauges {
    fn new(policy: Policy) -> Self {
        let live_timeout = Duration::from_secs(60);
        let aggregate = Aggregate::new(Options { policy, live_timeout, ..options() });
        Self { aggregate, now_ms: START_MS }
    }

    fn record(&mut self, worker: &str, operation: &str, number: f64) {
        let value = format!(r#"["{operation}",{number:?}]"#);
        let body = body(&[record("gauge", "", "m", "{}", &value)]);
        let message = Message { worker, metric: "g", body: &body, ..Message::default() };
        assert_eq!(self.aggregate.take(&message, self.now_ms).records, 1);
    }

    fn value(&self) -> Option<f64> {
        let line = samples_at(&self.aggregate, self.now_ms).pop()?;
        line.rsplit(' ').next().expect("a value").parse().ok()
    }
}

#[test]
fn values_of_workers_become_one_by_policy() {
    for (policy, expected) in [
        (Policy::Last, 1.0),
        (Policy::Sum, 3.0 + 5.0 - 6.0),
        (Policy::Max, 5.0),
        (Policy::Min, -6.0),
        (Policy::Live, 3.0 + 5.0 - 6.0),
    ] {
        let mut gauges = Gauges::new(policy);
        gauges.record("a", "set", 2.0);
        gauges.record("b", "set", 5.0);
        gauges.record("a", "inc", 1.0);
        gauges.record("c", "dec", 6.0);
        let last = 5.0 + 1.0 - 6.0;
        let expected = if policy == Policy::Last { last } else { expected };
        assert_eq!(gauges.value(), Some(expected), "{policy:?}");
    }
}

#[test]
fn workers_that_are_gone_are_forgotten_by_live_alone() {
    for (policy, expected) in [(Policy::Sum, 3.0), (Policy::Live, 1.0)] {
        let mut gauges = Gauges::new(policy);
        gauges.record("a", "set", 2.0);
        gauges.now_ms += 50_000;
        gauges.record("b", "set", 1.0);
        assert_eq!(gauges.value(), Some(3.0));
        gauges.now_ms += 10_000;
        assert_eq!(gauges.value(), Some(expected), "{policy:?}");
    }
}

#[test]
fn a_gauge_of_dead_workers_alone_is_not_shown() {
    let mut gauges = Gauges::new(Policy::Live);
    gauges.record("a", "set", 2.0);
    gauges.now_ms += 60_000;
    assert_eq!(gauges.value(), None);
}

#[test]
fn thousands_of_workers_leave_one_number() {
    let mut gauges = Gauges::new(Policy::Sum);
    for number in 0..10_000 {
        gauges.record(&format!("worker {number}"), "inc", 1.0);
        gauges.now_ms += 1_000;
    }
    assert_eq!(gauges.value(), Some(10_000.0));
    // The names of workers, and nothing that grows beside them.
    assert!(gauges.aggregate.bytes() < 4096, "{}", gauges.aggregate.bytes());
}
