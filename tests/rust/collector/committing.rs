//! Counted, stored, and then acknowledged.

use std::fs;
use std::time::Instant;

use phanos_collector::{Message, Store};

use crate::bodies::{body, call};
use crate::hubs::{Running, in_time};
use crate::stored::Directory;

fn message(body: &[u8], number: u64) -> Message<'_> {
    Message { worker: "w", number: Some(number), metric: "t", body, ..Message::default() }
}

#[tokio::test]
async fn without_a_store_counted_is_enough() {
    let running = Running::new(None);
    let body = body(&[call("A:b", 1.0)]);
    let sequence = running.hub.take(&message(&body, 1));
    assert_eq!(*running.hub.stored().borrow(), sequence);
    assert!(running.stop().await.is_none());
}

#[tokio::test]
async fn a_message_is_stored_before_it_is_told() {
    let directory = Directory::new();
    let (store, _) = Store::open(directory.path()).expect("opened");
    let running = Running::new(Some(store));
    let mut stored = running.hub.stored();
    let body = body(&[call("A:b", 1.0)]);
    let sequence = running.hub.take(&message(&body, 1));
    in_time(stored.wait_for(|stored| *stored >= sequence)).await.expect("running");
    // Another process sees it: what this one has in memory does not count.
    let copy = Directory::new();
    fs::create_dir(copy.path()).expect("made");
    let name = "phanos-collector.redb";
    fs::copy(directory.path().join(name), copy.path().join(name)).expect("copied");
    let (_, rows) = Store::open(copy.path()).expect("opened");
    assert_eq!((rows.series.len(), rows.workers.len()), (1, 1));
    assert!(running.stop().await.is_some());
}

#[tokio::test]
async fn whoever_flushes_does_not_wait_a_second() {
    let directory = Directory::new();
    let (store, _) = Store::open(directory.path()).expect("opened");
    let running = Running::new(Some(store));
    let mut stored = running.hub.stored();
    let body = body(&[call("A:b", 1.0)]);
    let begin = Instant::now();
    for number in 1..=20 {
        let sequence = running.hub.take(&message(&body, number));
        running.hub.store_soon();
        in_time(stored.wait_for(|stored| *stored >= sequence)).await.expect("running");
    }
    // Twenty times a second apart would be as many seconds.
    assert!(begin.elapsed().as_secs() < 15, "{:?}", begin.elapsed());
    running.stop().await.expect("stored");
}

#[tokio::test]
async fn the_end_stores_what_is_left() {
    let directory = Directory::new();
    let (store, _) = Store::open(directory.path()).expect("opened");
    let running = Running::new(Some(store));
    let body = body(&[call("A:b", 1.0)]);
    running.hub.take(&message(&body, 1));
    drop(running.stop().await.expect("stored"));
    let (_, rows) = Store::open(directory.path()).expect("opened");
    assert_eq!(rows.series.len(), 1);
}
