//! Counted once: numbers of messages.

use std::collections::BTreeSet;

use phanos_collector::{Aggregate, Message, Numbers};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bodies::{body, record};
use crate::shown::{START_MS, options, samples};

fn take(aggregate: &mut Aggregate, worker: &str, number: Option<u64>, now_ms: u64) -> bool {
    let body = body(&[record("counter", "", "m", "{}", r#"["inc",1]"#)]);
    let message = Message { worker, number, metric: "c", body: &body, ..Message::default() };
    !aggregate.take(&message, now_ms).duplicate
}

#[test]
fn a_message_that_comes_again_is_not_counted_again() {
    let mut aggregate = Aggregate::new(options());
    for (number, counted) in
        [(1, true), (2, true), (1, false), (4, true), (4, false), (3, true), (2, false)]
    {
        assert_eq!(take(&mut aggregate, "a", Some(number), START_MS), counted, "{number}");
    }
    assert!(take(&mut aggregate, "b", Some(1), START_MS), "of another worker");
    assert!(samples(&aggregate)[0].ends_with(" 5.0"));
    assert_eq!(aggregate.tally().duplicates, 3);
    assert_eq!(aggregate.tally().unnumbered, 0);
}

#[test]
fn without_a_number_or_worker_everything_counts() {
    let mut aggregate = Aggregate::new(options());
    for (worker, number) in [("", None), ("", Some(1)), ("", Some(1)), ("a", None), ("a", None)] {
        assert!(take(&mut aggregate, worker, number, START_MS));
    }
    assert_eq!(aggregate.tally().unnumbered, 5);
}

#[test]
fn workers_are_remembered_for_days() {
    let mut aggregate = Aggregate::new(options());
    take(&mut aggregate, "a", Some(1), START_MS);
    let day_ms = 24 * 3600 * 1000;
    aggregate.tick(START_MS + 6 * day_ms);
    assert!(!take(&mut aggregate, "a", Some(1), START_MS + 6 * day_ms));
    aggregate.tick(START_MS + 13 * day_ms + 1);
    assert_eq!(aggregate.size().1, 0);
}

#[test]
fn what_a_worker_says_will_not_follow_is_believed_after_a_while() {
    let mut aggregate = Aggregate::new(options());
    let body = body(&[]);
    let message = |number, settled| Message {
        worker: "a",
        number: Some(number),
        settled: Some(settled),
        metric: "c",
        body: &body,
        ..Message::default()
    };
    aggregate.take(&message(10, 8), START_MS);
    // Sent before, and still on its way.
    assert!(!aggregate.take(&message(7, 1), START_MS + 30_000).duplicate);
    aggregate.tick(START_MS + 60_000);
    assert!(aggregate.take(&message(6, 1), START_MS + 60_001).duplicate);
    assert!(!aggregate.take(&message(8, 8), START_MS + 60_001).duplicate);
}

#[test]
fn gaps_are_forgotten_when_there_are_too_many() {
    let mut numbers = Numbers::default();
    for number in (2..5_000).step_by(2) {
        assert!(numbers.add(number));
    }
    assert!(numbers.beyond().len() <= 512);
    assert!(numbers.contains(1) && !numbers.contains(4_999) && numbers.contains(4_998));
}

#[test]
fn a_worker_that_is_met_late_costs_one_gap() {
    let mut numbers = Numbers::default();
    for number in 1_000..2_000 {
        assert!(numbers.add(number));
    }
    assert_eq!((numbers.below(), numbers.beyond()), (1, &[(1_000, 1_999)][..]));
    assert!(numbers.add(u64::MAX) && !numbers.add(u64::MAX) && numbers.add(u64::MAX - 1));
    numbers.settle(u64::MAX);
    assert!(numbers.contains(u64::MAX - 1));
}

proptest! {
    #[test]
    fn numbers_are_a_set(added in vec(1_u64..200, 0..200), settled in proptest::option::of(1_u64..200)) {
        let mut numbers = Numbers::default();
        let mut expected = BTreeSet::new();
        for (place, number) in added.iter().enumerate() {
            prop_assert_eq!(numbers.add(*number), expected.insert(*number));
            if place == 50 && let Some(settled) = settled {
                numbers.settle(settled);
                expected.extend(1..settled);
            }
        }
        for number in 1..200 {
            prop_assert_eq!(numbers.contains(number), expected.contains(&number), "{}", number);
        }
        let again = Numbers::new(numbers.below(), numbers.beyond().to_vec());
        prop_assert_eq!(again, numbers);
    }
}
