//! The call tree over time.

use std::collections::BTreeMap;
use std::sync::Arc;

use phanos_collector::{Aggregate, Asked, Calls, Frame, Message, Told, Window, index_of, quantile};
use serde_json::Value;

use crate::bodies::body;
use crate::hubs::Running;
use crate::shown::{START_MS, options};

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;

fn call(method: &str, time_ms: f64, failed: bool) -> String {
    let item = method.split(':').next().unwrap_or("");
    format!(
        r#"{{"item":"{item}","metric":"histogram","units":"mS","job":"JOB","method":"{method}","labels":{{"error_raised":{failed}}},"value":["observe",{time_ms:?}]}}"#
    )
}

/// A root that ends after that many calls of what it queries.
fn request(queries: usize) -> Vec<String> {
    let mut records = vec![call("A:get.query", 1.0, false); queries];
    records.push(call("A:get", 10.0, false));
    records
}

fn take(aggregate: &mut Aggregate, worker: &str, number: u64, records: &[String], now_ms: u64) {
    let body = body(records);
    let metric = "time_profiler";
    let message =
        Message { worker, number: Some(number), metric, body: &body, ..Message::default() };
    let taken = aggregate.take(&message, now_ms);
    assert_eq!((taken.records, taken.bad), (records.len() as u64, 0));
}

/// Calls by name of all frames of a span, and of all time.
fn named(aggregate: &Aggregate, calls: &BTreeMap<u32, Calls>) -> BTreeMap<String, Calls> {
    let job = aggregate.job("JOB").expect("the job");
    let own = aggregate.paths_of(job);
    assert!(own.iter().all(|own| *own));
    let names = aggregate.path_names(job);
    calls.iter().map(|(path, calls)| (names[*path as usize].to_string(), calls.clone())).collect()
}

fn between(aggregate: &Aggregate, from_ms: u64, to_ms: u64) -> BTreeMap<String, Calls> {
    let mut sums = BTreeMap::new();
    for frame in aggregate.frames(from_ms, to_ms) {
        frame.add_to(&mut sums, |_| true);
    }
    named(aggregate, &sums)
}

fn ever(aggregate: &Aggregate) -> BTreeMap<String, Calls> {
    let (_, calls) = aggregate.all_calls(aggregate.job("JOB").expect("the job"));
    named(aggregate, &calls)
}

fn join_all(aggregate: &mut Aggregate) {
    while let Some(frames) = aggregate.due_to_join() {
        let joined = Frame::joined(&frames);
        aggregate.join_frames(&frames, joined);
    }
}

#[test]
fn windows_have_what_came_in_them() {
    let mut aggregate = Aggregate::new(options());
    aggregate.tick(START_MS);
    for minute in 0..10 {
        let now_ms = START_MS + minute * MINUTE_MS;
        let queries = usize::try_from(minute).expect("small");
        take(&mut aggregate, "w", minute + 1, &request(queries + 1), now_ms + 30 * SECOND_MS);
        for second in (0..60).step_by(10) {
            aggregate.tick(now_ms + (second + 10) * SECOND_MS);
        }
        join_all(&mut aggregate);
    }
    let first = between(&aggregate, START_MS, START_MS + 3 * MINUTE_MS);
    assert_eq!((first["A:get"].calls, first["A:get.query"].calls), (3, 6));
    assert_eq!(first["A:get.query"].largest, 3);
    let last = between(&aggregate, START_MS + 9 * MINUTE_MS, START_MS + 10 * MINUTE_MS);
    assert_eq!((last["A:get"].calls, last["A:get.query"].calls), (1, 10));
    assert!((last["A:get.query"].total - 0.01).abs() < 1e-12);
    let ever = ever(&aggregate);
    assert_eq!((ever["A:get.query"].calls, ever["A:get.query"].largest), (55, 10));
    let all = between(&aggregate, 0, u64::MAX);
    assert_eq!(all["A:get.query"].buckets, ever["A:get.query"].buckets);
    // Ten minutes of cuts, of which the older ones are joined.
    assert!(aggregate.frames(0, u64::MAX).len() < 25);
}

#[test]
fn failed_calls_are_counted_with_their_path() {
    let mut aggregate = Aggregate::new(options());
    let records = [call("A:get", 0.0, true), call("A:get", 2.0, false), call("A:get", 4.0, true)];
    take(&mut aggregate, "w", 1, &records, START_MS);
    let calls = &ever(&aggregate)["A:get"];
    assert_eq!((calls.calls, calls.errors, calls.zero), (3, 2, 1));
    aggregate.cut(START_MS + SECOND_MS, true);
    let frame = &between(&aggregate, 0, u64::MAX)["A:get"];
    assert_eq!((frame.calls, frame.errors, frame.zero), (3, 2, 1));
    assert_eq!(frame.total.to_bits(), 0.006_f64.to_bits());
}

/// What a root calls may come in several messages; another worker's calls are no part of it.
#[test]
fn the_most_calls_of_one_root_are_counted_across_messages() {
    let mut aggregate = Aggregate::new(options());
    let records = request(5);
    take(&mut aggregate, "one", 1, &records[..3], START_MS);
    take(&mut aggregate, "one", 2, &records[3..], START_MS);
    assert_eq!(ever(&aggregate)["A:get.query"].largest, 5);
    take(&mut aggregate, "two", 1, &request(2), START_MS);
    take(&mut aggregate, "one", 3, &request(4), START_MS);
    assert_eq!(ever(&aggregate)["A:get.query"].largest, 5);
    // Not taken together with what the other one did.
    take(&mut aggregate, "two", 2, &records[..5], START_MS);
    take(&mut aggregate, "one", 4, &records[..5], START_MS);
    assert_eq!(ever(&aggregate)["A:get.query"].largest, 5);
    assert_eq!(ever(&aggregate)["A:get"].largest, 1);
}

#[test]
fn paths_of_qualified_names_have_roots_too() {
    let mut aggregate = Aggregate::new(options());
    let query = "Orders.get > Database.query";
    let mut records = vec![call(query, 1.0, false); 3];
    records.push(call("Orders.get", 5.0, false));
    take(&mut aggregate, "w", 1, &records, START_MS);
    take(&mut aggregate, "w", 2, &records[1..], START_MS);
    let calls = ever(&aggregate);
    assert_eq!((calls[query].calls, calls[query].largest), (5, 3));
    assert_eq!((calls["Orders.get"].calls, calls["Orders.get"].largest), (2, 1));
    assert_eq!(calls.len(), 2);
}

#[test]
fn what_was_counted_before_a_restart_is_in_no_window() {
    let mut before = Aggregate::new(options());
    take(&mut before, "w", 1, &request(3), START_MS);
    let changes = before.take_changes();
    let stored = phanos_collector::Stored {
        families: changes.families().clone(),
        workers: changes.workers().clone(),
        series: changes.series().map(|(id, row)| (id, row.to_vec())).collect(),
    };
    let mut aggregate = Aggregate::load(options(), &stored).expect("loaded");
    take(&mut aggregate, "w", 2, &request(1), START_MS + MINUTE_MS);
    aggregate.cut(START_MS + 2 * MINUTE_MS, true);
    assert_eq!(between(&aggregate, 0, u64::MAX)["A:get.query"].calls, 1);
    assert_eq!(ever(&aggregate)["A:get.query"].calls, 4);
}

#[test]
fn frames_hold_what_they_were_made_of() {
    let mut calls = Calls { calls: 3, errors: 1, largest: 2, total: 1.5, ..Calls::default() };
    for number in [1e-7, 0.3, 0.3, 70.0] {
        calls.buckets.add(index_of(number), 1);
    }
    let sums = BTreeMap::from([(2, calls.clone()), (900_000, calls.clone())]);
    let frame = Arc::new(Frame::new(1, 2, &sums));
    let mut read = BTreeMap::new();
    frame.add_to(&mut read, |path| path == 900_000);
    assert_eq!(read, BTreeMap::from([(900_000, calls)]));
    let joined = Frame::joined(&[Arc::clone(&frame), Arc::new(Frame::new(2, 5, &sums))]);
    assert_eq!((joined.from_ms, joined.to_ms), (1, 5));
    let mut read = BTreeMap::new();
    joined.add_to(&mut read, |path| path == 2);
    assert_eq!((read[&2].calls, read[&2].largest), (6, 2));
}

#[test]
fn quantiles_are_within_their_bucket() {
    let mut calls = Calls::default();
    for number in 1..=1000 {
        calls.buckets.add(index_of(f64::from(number) / 1000.0), 1);
    }
    for (share, expected) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99)] {
        let found = quantile(&calls, share);
        assert!((found / expected - 1.0).abs() < 0.05, "{share}: {found}");
    }
    assert_eq!(quantile(&Calls { calls: 2, zero: 2, ..Calls::default() }, 0.99).to_bits(), 0);
    assert_eq!(quantile(&Calls::default(), 0.5).to_bits(), 0);
}

#[test]
fn windows_are_read_or_refused_clearly() {
    let now_ms = 10_000_000_000;
    for (text, span) in [
        ("5m", Some((now_ms - 300_000, now_ms))),
        ("1h@5m", Some((now_ms - 3_900_000, now_ms - 300_000))),
        ("5..7", Some((5, 7))),
        ("5..", Some((5, now_ms))),
        ("all", None),
    ] {
        assert_eq!(Window::read(text).expect(text).span(now_ms), span, "{text}");
    }
    for text in ["", "5", "m", "-5m", "0s", "5m@", "5é", "..5", "a..b", "99999999999999999999d"] {
        let error = Window::read(text).expect_err(text);
        assert!(error.contains(&format!("{text:?}")) && error.contains("1h@5m"), "{error}");
    }
}

/// A client that was told all of it is told what has changed.
#[tokio::test]
async fn answers_tell_what_has_changed() {
    let running = Running::new(None);
    let send = |number: u64, records: &[String]| {
        let (body, metric) = (body(records), "time_profiler");
        let message = Message {
            worker: "w",
            number: Some(number),
            metric,
            body: &body,
            ..Message::default()
        };
        running.hub.take(&message);
    };
    let asked = Asked { job: None, window: Window::All, compare: None };
    let mut told = Told::default();
    let mut answer =
        || -> Value { serde_json::from_str(&running.hub.calls(&asked, &mut told)).expect("JSON") };
    let nothing = answer();
    assert_eq!((&nothing["job"], &nothing["rows"]), (&"".into(), &Value::Array(vec![])));
    send(1, &request(2));
    let first = answer();
    assert_eq!((&first["whole"], &first["job"]), (&true.into(), &"JOB".into()));
    let paths = first["paths"].as_array().expect("paths");
    let rows = first["rows"].as_array().expect("rows");
    assert_eq!((paths.len(), rows.len()), (2, 2));
    assert_eq!(first["status"]["records"], 3);
    assert_eq!(first["status"]["workers"], 1);
    send(2, &[call("A:get.\\\"new\\\"", 1.0, false)]);
    let second = answer();
    assert_eq!(second["whole"], false);
    assert_eq!(second["paths"].as_array().expect("paths").len(), 1);
    assert_eq!(second["paths"][0][1], "A:get.\"new\"");
    let rows = second["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0][1], &rows[0][2], &rows[0][3]), (&1.into(), &0.into(), &0.001.into()));
    assert_eq!(answer()["rows"], Value::Array(vec![]));
}
