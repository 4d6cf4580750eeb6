//! The collector's own metrics.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::labels::write_label;
use crate::expose::own::OwnFamily;
use crate::hub::condition::{BrokerState, Condition};
use crate::intake::kind::Kind;

type Samples = Vec<(String, f64)>;

/// `waiting`: bytes that are counted and not stored, and for how long the oldest have waited.
pub(crate) fn own_metrics(
    aggregate: &Aggregate,
    condition: &Condition,
    waiting: (usize, Option<Duration>),
) -> Vec<OwnFamily> {
    let tally = aggregate.tally();
    let (series, workers) = aggregate.size();
    let counter = |name, help, count: u64| family(name, Kind::Counter, "", help, one(float(count)));
    let gauge = |name, unit, help, value: f64| family(name, Kind::Gauge, unit, help, one(value));
    let bad = tally.bad().map(|(reason, count)| (label("reason", reason.name()), float(count)));
    let jobs = aggregate.jobs().map(|(job, series)| (label("job", job), float(series as u64)));
    let mut families = vec![
        counter("phanos_collector_messages", "Messages that came.", tally.messages),
        counter(
            "phanos_collector_duplicate_messages",
            "Messages that had come before, and were not counted again.",
            tally.duplicates,
        ),
        counter(
            "phanos_collector_unnumbered_messages",
            "Messages without a number, as phanos 0.3.2 sends them: counted as often as they come.",
            tally.unnumbered,
        ),
        counter("phanos_collector_records", "Records that were counted.", tally.records),
        counter(
            "phanos_collector_overflowed_records",
            "Records that were counted in an overflow series, which a job has beyond its limit.",
            tally.overflowed,
        ),
        family(
            "phanos_collector_bad_records",
            Kind::Counter,
            "",
            "Records that were not counted, by reason.",
            bad.collect(),
        ),
        counter("phanos_collector_expired_series", "Series that were left out.", tally.expired),
        family("phanos_collector_series", Kind::Gauge, "", "Series, by job.", jobs.collect()),
        gauge(
            "phanos_collector_remembered_workers",
            "",
            "Workers of which it is known which messages were counted.",
            float(workers as u64),
        ),
        gauge(
            "phanos_collector_series_memory_bytes",
            "bytes",
            "Memory of all series, roughly.",
            float(aggregate.bytes() as u64),
        ),
        gauge(
            "phanos_collector_unstored_bytes",
            "bytes",
            "Bodies of messages that are counted and not stored yet.",
            float(waiting.0 as u64),
        ),
        gauge(
            "phanos_collector_unstored_age_seconds",
            "seconds",
            "How long the oldest message has waited to be stored.",
            waiting.1.unwrap_or_default().as_secs_f64(),
        ),
    ];
    debug_assert!(series >= aggregate.jobs().map(|(_, series)| series).sum());
    families.extend(of_condition(condition));
    families.extend(resident_bytes().map(|bytes| {
        let help = "Memory of the process.";
        gauge("phanos_collector_resident_memory_bytes", "bytes", help, float(bytes))
    }));
    families
}

fn of_condition(condition: &Condition) -> Vec<OwnFamily> {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let seconds = |counter: &AtomicU64| one(float(load(counter)) / 1e6);
    let counter = |name, help, count: &AtomicU64| {
        family(name, Kind::Counter, "", help, one(float(load(count))))
    };
    let gauge = |name, unit, help, samples| family(name, Kind::Gauge, unit, help, samples);
    let mut families = vec![
        counter("phanos_collector_commits", "Times that changes were stored.", &condition.commits),
        counter(
            "phanos_collector_failed_commits",
            "Times that changes could not be stored, and are kept for the next time.",
            &condition.failed_commits,
        ),
        gauge(
            "phanos_collector_last_commit_duration_seconds",
            "seconds",
            "How long storing took the last time.",
            seconds(&condition.last_commit_us),
        ),
        gauge(
            "phanos_collector_state_bytes",
            "bytes",
            "Size of the state on disk.",
            one(float(load(&condition.store_bytes))),
        ),
        counter("phanos_collector_scrapes", "Times that the page was written.", &condition.scrapes),
        family(
            "phanos_collector_scrape_duration_seconds",
            Kind::Counter,
            "seconds",
            "Time that writing the page took, all times together.",
            seconds(&condition.scrape_us),
        ),
        gauge(
            "phanos_collector_last_scrape_duration_seconds",
            "seconds",
            "How long writing the page took the last time.",
            seconds(&condition.last_scrape_us),
        ),
        gauge(
            "phanos_collector_local_connections",
            "",
            "Processes of this machine that are connected.",
            one(float(load(&condition.local_connections))),
        ),
    ];
    if condition.broker() != BrokerState::None {
        let is_up = f64::from(u8::from(condition.broker() == BrokerState::Consuming));
        families.push(gauge(
            "phanos_collector_broker_up",
            "",
            "1 while messages come from the broker.",
            one(is_up),
        ));
        families.push(counter(
            "phanos_collector_broker_connections",
            "Connections to the broker that were opened.",
            &condition.broker_connects,
        ));
    }
    families
}

fn family(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    samples: Samples,
) -> OwnFamily {
    OwnFamily { name, kind, unit, help, samples }
}

fn one(value: f64) -> Samples {
    vec![(String::new(), value)]
}

fn label(name: &str, value: &str) -> String {
    let mut label = String::new();
    write_label(&mut label, name, value);
    label
}

#[allow(clippy::cast_precision_loss)] // Exact up to 2^53.
fn float(count: u64) -> f64 {
    count as f64
}

fn resident_bytes() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    // Pages have 4 KiB on the machines that this is built for.
    Some(pages * 4096)
}
