//! An aggregate with a clock of its own, and what it shows.

use std::time::Duration;

use phanos_collector::{Aggregate, Format, Message, MetricOptions, Options, Taken, page};

/// Any moment.
pub(crate) const START_MS: u64 = 1_790_000_000_000;

/// Shows counts at once.
pub(crate) fn options() -> Options {
    Options { zero_first: Duration::ZERO, ..Options::default() }
}

/// Shows counts at once; histograms have one classic bucket.
pub(crate) fn brief_options(metric: &str) -> Options {
    let metric =
        MetricOptions { name: metric.into(), buckets: Some(vec![1.0]), ..MetricOptions::default() };
    Options { metrics: vec![metric], ..options() }
}

/// Without a worker.
pub(crate) fn message<'a>(metric: &'a str, body: &'a [u8]) -> Message<'a> {
    Message { metric, body, ..Message::default() }
}

pub(crate) fn take(aggregate: &mut Aggregate, metric: &str, records: &[String]) -> Taken {
    aggregate.take(&message(metric, &crate::bodies::body(records)), START_MS)
}

pub(crate) fn text_at(aggregate: &Aggregate, now_ms: u64) -> String {
    let page = page(Format::Text, aggregate, &[], START_MS, now_ms);
    String::from_utf8(page).expect("UTF-8")
}

/// The samples of the text format, without comments.
pub(crate) fn samples(aggregate: &Aggregate) -> Vec<String> {
    samples_at(aggregate, START_MS)
}

pub(crate) fn samples_at(aggregate: &Aggregate, now_ms: u64) -> Vec<String> {
    let text = text_at(aggregate, now_ms);
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}
