//! Columns of waiting records, label checks, and the pace of repeated log lines.

use std::time::{Duration, Instant};

use phanos_core::column::Columns;
use phanos_core::label;
use phanos_core::pace::{INTERVAL, Pace};

fn filled(rows: u32) -> Columns<u32, u32, u32> {
    let mut columns = Columns::default();
    for row in 0..rows {
        columns.push(row, row + 100, row + 200);
    }
    columns
}

#[test]
fn rows_come_out_in_the_order_in_which_they_went_in() {
    let columns = filled(3);
    assert_eq!(columns.len(), 3);
    assert!(columns.is_even());
    assert_eq!(
        columns.into_rows().collect::<Vec<_>>(),
        [(0, 100, 200), (1, 101, 201), (2, 102, 202)]
    );
}

#[test]
fn uneven_columns_are_noticed_and_cut_to_complete_rows() {
    let mut columns = filled(3);
    columns.methods.pop();
    columns.values.push(9);
    assert!(!columns.is_even());
    assert_eq!(columns.len(), 4);
    assert_eq!(columns.complete(), 2);
    assert_eq!(columns.into_rows().count(), 2);
}

#[test]
fn a_column_alone_is_not_empty() {
    let mut columns: Columns<u32, u32, u32> = Columns::default();
    assert!(columns.is_empty());
    columns.labels.push(1);
    assert!(!columns.is_empty());
    assert_eq!(columns.len(), 0);
}

#[test]
fn taken_rows_put_back_stand_before_newer_ones() {
    let mut columns = filled(2);
    let older = columns.take(None);
    assert!(columns.is_empty());
    columns.push(7, 8, 9);
    columns.put_back(older);
    assert_eq!(columns.into_rows().collect::<Vec<_>>(), [(0, 100, 200), (1, 101, 201), (7, 8, 9)]);
}

#[test]
fn the_oldest_rows_are_dropped_first() {
    let mut columns = filled(5);
    let dropped = columns.drop_oldest(2);
    assert_eq!(dropped.into_rows().map(|row| row.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(columns.drop_oldest(9).len(), 0);
    assert_eq!(columns.into_rows().map(|row| row.0).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn label_names_are_compared_as_sets() {
    assert_eq!(label::check(["a", "b"], ["b", "a"]), Ok(()));
    assert_eq!(label::check([], []), Ok(()));
    assert_eq!(label::check(["a", "a"], ["a"]), Ok(()));
}

#[test]
fn a_mismatch_names_what_was_expected_and_what_was_given() {
    let mismatch = label::check(["b", "a"], ["z"]).expect_err("differ");
    assert_eq!(mismatch.to_string(), "expected labels: a, b; labels given: z");
    let mismatch = label::check([], ["z"]).expect_err("differ");
    assert_eq!(mismatch.to_string(), "expected labels: none; labels given: z");
    let mismatch = label::check(["a"], []).expect_err("differ");
    assert_eq!(mismatch.to_string(), "expected labels: a; labels given: none");
}

#[test]
fn the_first_line_of_a_kind_is_due_at_once_and_then_one_a_minute() {
    let mut pace = Pace::default();
    let start = Instant::now();
    assert_eq!(pace.due("labels", start), Some(0));
    assert_eq!(pace.due("value", start), Some(0));
    let last = start + INTERVAL.checked_sub(Duration::from_nanos(1)).expect("positive");
    assert_eq!(pace.due("labels", start), None);
    assert_eq!(pace.due("labels", last), None);
    assert_eq!(pace.due("labels", start + INTERVAL), Some(2));
    assert_eq!(pace.due("labels", start + INTERVAL), None);
    assert_eq!(pace.due("value", start + INTERVAL), Some(0));
}

#[test]
fn the_pace_forgets_rather_than_grows() {
    let mut pace = Pace::default();
    let now = Instant::now();
    for kind in 0..100_000 {
        assert_eq!(pace.due(&kind.to_string(), now), Some(0));
    }
    // Some kind from the beginning was forgotten meanwhile, so it is told again.
    assert_eq!(pace.due("0", now), Some(0));
}
