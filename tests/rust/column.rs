//! Columns of waiting records.

use phanos_core::column::Columns;

/// The complete rows, in order.
fn rows(columns: Columns<u32, u32, u32>) -> Vec<(u32, u32, u32)> {
    let pairs = columns.values.into_iter().zip(columns.labels).zip(columns.methods);
    pairs.map(|((value, label), method)| (value, label, method)).collect()
}

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
    assert_eq!(rows(columns), [(0, 100, 200), (1, 101, 201), (2, 102, 202)]);
}

#[test]
fn uneven_columns_are_noticed_and_their_complete_rows_counted() {
    let mut columns = filled(3);
    columns.methods.pop();
    columns.values.push(9);
    assert!(!columns.is_even());
    assert_eq!(columns.len(), 4);
    assert_eq!(columns.complete(), 2);
    assert_eq!(rows(columns), [(0, 100, 200), (1, 101, 201)]);
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
    assert_eq!(rows(columns), [(0, 100, 200), (1, 101, 201), (7, 8, 9)]);
}

#[test]
fn the_oldest_rows_are_dropped_first() {
    let mut columns = filled(5);
    let dropped = columns.drop_oldest(2);
    assert_eq!(dropped.values, [0, 1, 2]);
    assert_eq!(columns.drop_oldest(9).len(), 0);
    assert_eq!(columns.values, [3, 4]);
}
