//! Messages that wait or are in flight: their order and their memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fixtures::message;
use crate::messages::confirm_waiter::ConfirmWaiter;
use crate::messages::message::{Body, Message, Spooled};
use crate::messages::outbox::Outbox;
use crate::records::encode::BODY_BYTES;

fn filled(count: u64) -> Outbox {
    let mut outbox = Outbox::default();
    for _ in 0..count {
        let sequence = outbox.next_sequence();
        outbox.add(message(sequence));
    }
    outbox
}

fn send_next(outbox: &mut Outbox) -> u64 {
    let message = outbox.take_next().expect("a message");
    let sequence = message.sequence;
    outbox.add_sent(message, Instant::now());
    sequence
}

fn waiting(outbox: &mut Outbox) -> Vec<u64> {
    std::iter::from_fn(|| outbox.take_next()).map(|message| message.sequence).collect()
}

/// A message with a body of that many bytes; on disk too, if `on_disk`.
fn large(sequence: u64, bytes: usize, on_disk: bool) -> Message {
    let spooled = Spooled {
        file: 0,
        number: sequence,
        pieces: 1,
        written: u32::from(on_disk),
        written_records: u32::from(on_disk),
        bytes: bytes - 1,
        records: 1,
        counted: 0,
        file_bytes: 0,
    };
    Message {
        body: Body::Memory(Arc::new(vec![b'x'; bytes])),
        spooled: Some(spooled),
        ..message(sequence)
    }
}

fn in_memory(outbox: &Outbox) -> usize {
    outbox.messages().map(Message::memory_bytes).sum()
}

#[test]
fn what_is_put_back_is_where_it_was() {
    let mut outbox = filled(5);
    for _ in 0..3 {
        send_next(&mut outbox);
    }
    let second = outbox.take_sent(2).expect("in flight");
    outbox.put_back(second);
    assert_eq!(outbox.take_sent(2).map(|message| message.sequence), None);
    outbox.put_all_back();
    assert_eq!((outbox.in_flight(), outbox.in_flight_records()), (0, 0));
    assert_eq!(waiting(&mut outbox), [1, 2, 3, 4, 5]);
}

#[test]
fn what_was_answered_is_gone() {
    let mut outbox = filled(3);
    assert_eq!(send_next(&mut outbox), 1);
    assert_eq!(outbox.in_flight_records(), 1);
    assert_eq!(outbox.find_sent("worker-1").map(|message| message.sequence), Some(1));
    assert!(outbox.take_sent(1).is_some());
    assert!(outbox.take_sent(1).is_none());
    outbox.put_all_back();
    assert_eq!(waiting(&mut outbox), [2, 3]);
}

#[test]
fn no_more_is_under_way_than_the_window_allows() {
    let mut outbox = filled(1000);
    let mut sent = 0;
    while outbox.window_open() {
        send_next(&mut outbox);
        sent += 1;
    }
    assert_eq!((sent, outbox.in_flight()), (256, 256));
    outbox.take_sent(1);
    assert!(outbox.window_open());
}

#[test]
fn a_message_larger_than_the_window_goes_alone() {
    let mut outbox = Outbox::default();
    for _ in 0..2 {
        let sequence = outbox.next_sequence();
        outbox.add(large(sequence, 8 * 1024 * 1024, false));
    }
    assert!(outbox.window_open());
    send_next(&mut outbox);
    assert!(!outbox.window_open());
}

#[test]
fn records_join_the_newest_message_of_their_metric() {
    let mut outbox = filled(2);
    assert_eq!(outbox.extend("time_profiler", "JOB", b"[7,8]", 2), Some(2));
    assert_eq!(outbox.extend("time_profiler", "other job", b"[9]", 1), None);
    assert_eq!(outbox.extend("other", "JOB", b"[9]", 1), None);
    let newest = outbox.messages().last().expect("a message");
    assert!(matches!(&newest.body, Body::Memory(body) if **body == b"[2,7,8]"));
    assert_eq!(newest.records(), 3);
}

#[test]
fn records_of_hundreds_of_metrics_join_their_messages() {
    const METRICS: u64 = 3000;
    let named = |number: u64| format!("metric {}", number % METRICS);
    let mut outbox = Outbox::default();
    for sequence in 1..=METRICS {
        let mut new = message(sequence);
        Arc::make_mut(&mut new.envelope).metric = named(sequence).into();
        outbox.add(new);
    }
    for sequence in 1..=METRICS {
        assert_eq!(outbox.extend(&named(sequence), "JOB", b"[9]", 1), Some(sequence));
    }
}

#[test]
fn what_may_grow_is_forgotten_when_it_is_too_much() {
    let mut outbox = Outbox::default();
    for sequence in 1..=10_000 {
        let mut new = message(sequence);
        Arc::make_mut(&mut new.envelope).metric = format!("metric {sequence}").into();
        outbox.add(new);
    }
    assert_eq!(outbox.extend("metric 1", "JOB", b"[9]", 1), None);
    assert_eq!(outbox.extend("metric 10000", "JOB", b"[9]", 1), Some(10_000));
    assert!(outbox.messages().filter(|message| message.open).count() <= 4096);
}

#[test]
fn nothing_joins_what_was_sent_before_or_is_waited_for() {
    let mut outbox = filled(1);
    send_next(&mut outbox);
    let mut sent = outbox.take_sent(1).expect("in flight");
    sent.attempts = 1;
    outbox.put_back(sent);
    assert_eq!(outbox.extend("time_profiler", "JOB", b"[9]", 1), None);

    let mut outbox = Outbox::default();
    let soon = Instant::now() + Duration::from_secs(60);
    let (waiter, _reply) = ConfirmWaiter::new(soon, soon);
    outbox.add(Message { waiter: Some(waiter), ..message(1) });
    assert_eq!(outbox.extend("time_profiler", "JOB", b"[9]", 1), None);
}

#[test]
fn a_message_that_is_full_stays_as_it_is() {
    let mut outbox = Outbox::default();
    outbox.add(large(1, BODY_BYTES - 2, false));
    assert_eq!(outbox.extend("time_profiler", "JOB", b"[9]", 1), None);
    // A shorter one could join; but then it would come before those that could not.
    assert_eq!(outbox.extend("time_profiler", "JOB", b"[]", 1), None);
}

#[test]
fn bodies_that_are_on_disk_leave_memory_when_it_is_full() {
    let mut outbox = Outbox::default();
    for sequence in 1..=40 {
        let open = sequence == 40;
        outbox.add(Message { open, ..large(sequence, 256 * 1024, sequence % 2 == 0) });
    }
    assert!(outbox.is_full());
    outbox.evict_spooled();
    let kept: Vec<u64> = outbox
        .messages()
        .filter(|message| matches!(message.body, Body::Memory(_)))
        .map(|message| message.sequence)
        .collect();
    let unwritten: Vec<u64> = (1..=40).filter(|sequence| sequence % 2 == 1).collect();
    assert_eq!(kept, unwritten, "what is not on disk has nowhere to go");
    assert_eq!(outbox.messages().map(Message::body_bytes).sum::<usize>(), 40 * 256 * 1024);
}

#[test]
fn the_newest_leave_memory_first_but_for_those_that_may_grow() {
    let mut outbox = Outbox::default();
    for sequence in 1..=20 {
        let open = sequence == 20;
        outbox.add(Message { open, ..large(sequence, 256 * 1024, true) });
    }
    outbox.evict_spooled();
    assert!(!outbox.is_full());
    assert!(in_memory(&outbox) >= 3 * 1024 * 1024, "no more than has to");
    let first = outbox.messages().next().expect("a message");
    let last = outbox.messages().last().expect("a message");
    assert!(matches!(first.body, Body::Memory(_)) && matches!(last.body, Body::Memory(_)));
}

#[test]
fn memory_is_counted_through_every_change() {
    let mut outbox = Outbox::default();
    for sequence in 1..=16 {
        outbox.add(Message { open: false, ..large(sequence, 256 * 1024, true) });
    }
    assert!(outbox.is_full());
    outbox.change(3, |message| message.body = Body::Spool { bytes: 256 * 1024 });
    assert!(!outbox.is_full());
    outbox.change(3, |message| message.body = Body::Memory(Arc::new(vec![b'x'; 256 * 1024])));
    assert!(outbox.is_full());
    assert_eq!(outbox.remove_waiting(|message| message.sequence == 5).len(), 1);
    assert!(!outbox.is_full());
    assert_eq!(outbox.take_oldest_spooled(|_| true).map(|message| message.sequence), Some(1));
    send_next(&mut outbox);
    outbox.put_all_back();
    assert_eq!(waiting(&mut outbox).len(), 14);
    assert!(!outbox.is_full());
    for sequence in 21..=36 {
        assert!(!outbox.is_full(), "empty, and as much fits as at first");
        outbox.add(large(sequence, 256 * 1024, true));
    }
    assert!(outbox.is_full());
}
