//! The collector: from bytes of messages to series, and from series to a page.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use phanos_collector::{Aggregate, Format, Message, MetricOptions, Options, Record, gzip, page};

const NOW_MS: u64 = 1_790_000_000_000;
/// As senders make them.
const BODY_BYTES: usize = 256 * 1024;

fn record(path: usize, value: f64) -> String {
    format!(
        r#"{{"item":"Resource{}","metric":"histogram","units":"mS","job":"JOB","method":"Resource{}:get.load.query{path}","labels":{{"error_raised":false}},"value":["observe",{value:?}]}}"#,
        path % 10,
        path % 10,
    )
}

/// Numbers with two decimals, of many sizes and in no order.
fn value(number: usize) -> f64 {
    let shuffled = number.wrapping_mul(2_654_435_761) % 1_000_003;
    let sizes = [1.0, 10.0, 100.0, 1000.0];
    let fraction = f64::from(u32::try_from(shuffled).unwrap_or(0)) / 1_000_003.0;
    (fraction * sizes[shuffled % 4] * 100.0).round() / 100.0
}

/// Bodies of that many paths, so many that each path comes a few times; with the number of records.
fn bodies(paths: usize, body_bytes: usize) -> (Vec<Vec<u8>>, usize) {
    let mut bodies = vec![];
    let mut body = vec![];
    let records = (paths * 4).max(20_000);
    for number in 0..records {
        // Neighbours of one path, as in a loop, are rare: the worst case for caches.
        let path = number.wrapping_mul(7_919) % paths;
        body.push(if body.is_empty() { b'[' } else { b',' });
        body.extend_from_slice(record(path, value(number)).as_bytes());
        if body.len() >= body_bytes {
            body.push(b']');
            bodies.push(std::mem::take(&mut body));
        }
    }
    if !body.is_empty() {
        body.push(b']');
        bodies.push(body);
    }
    (bodies, records)
}

fn options(buckets: Option<Vec<f64>>) -> Options {
    let metric =
        MetricOptions { name: "time_profiler".into(), buckets, ..MetricOptions::default() };
    Options {
        max_series: 1_000_000,
        zero_first: Duration::ZERO,
        metrics: vec![metric],
        ..Options::default()
    }
}

fn take_all(aggregate: &mut Aggregate, bodies: &[Vec<u8>]) {
    for body in bodies {
        let message = Message { metric: "time_profiler", body, ..Message::default() };
        black_box(aggregate.take(&message, NOW_MS));
    }
}

fn counting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from bytes to series");
    for (paths, body_bytes, name) in [
        (100, BODY_BYTES, "100 paths"),
        (10_000, BODY_BYTES, "10,000 paths"),
        (100, 1, "100 paths, messages of one record"),
    ] {
        let (bodies, records) = bodies(paths, body_bytes);
        let mut aggregate = Aggregate::new(options(None));
        take_all(&mut aggregate, &bodies);
        assert_eq!(aggregate.tally().records, records as u64);
        assert_eq!(aggregate.size().0, paths);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| take_all(&mut aggregate, &bodies));
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a record that is not known");
    let record = record(1, 1.25);
    let raw = serde_json::from_str(&record).expect("JSON");
    assert!(Record::read(raw).is_ok());
    group.throughput(Throughput::Elements(1));
    group.bench_function("read by serde_json", |bencher| {
        bencher.iter(|| Record::read(black_box(raw)).is_ok());
    });
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from series to a page");
    group.sample_size(20);
    for paths in [10_000, 100_000] {
        // Some 40 observations for each path: 30 to 40 buckets.
        let mut aggregate = Aggregate::new(options(None));
        for number in 0..paths * 40 {
            if number % 1000 == 0 {
                let records: Vec<String> = (number..number + 1000)
                    .map(|number| record(number % paths, value(number)))
                    .collect();
                take_all(&mut aggregate, &[format!("[{}]", records.join(",")).into_bytes()]);
            }
        }
        assert_eq!(aggregate.size().0, paths);
        let bytes = aggregate.bytes() / paths;
        for format in [Format::Protobuf, Format::OpenMetrics] {
            let length = page(format, &aggregate, &[], NOW_MS, NOW_MS).len();
            eprintln!("{paths} series, {format:?}: {length} bytes; {bytes} bytes of memory each");
            let name = format!("{paths} series, {format:?}");
            group.throughput(Throughput::Elements(paths as u64));
            group.bench_function(&name, |bencher| {
                bencher.iter(|| page(format, black_box(&aggregate), &[], NOW_MS, NOW_MS).len());
            });
        }
        if paths == 10_000 {
            let page = page(Format::Protobuf, &aggregate, &[], NOW_MS, NOW_MS);
            group.bench_function("gzip of 10,000 series, Protobuf", |bencher| {
                bencher.iter(|| gzip(black_box(&page)).len());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, counting, reading, encoding);
criterion_main!(benches);
