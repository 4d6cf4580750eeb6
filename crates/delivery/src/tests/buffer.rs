//! The bounded buffer: what it holds, drops and counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::fixtures::{metric, put};
use crate::records::buffer::Buffer;
use crate::records::chunk::{Chunk, Content};
use phanos_core::record::Metric;

static METRIC: LazyLock<Arc<Metric>> = LazyLock::new(|| metric("time_profiler"));

/// True if others were dropped.
fn push(buffer: &Buffer, value: f64) -> bool {
    buffer.push(|chunk| put(chunk, &METRIC, value))
}

fn numbers(chunk: &Chunk) -> Vec<f64> {
    let number = |content: &Content| match content {
        Content::Number { number, .. } => *number,
        Content::Converted(_) => panic!("no number"),
    };
    chunk.entries.iter().map(|entry| number(&entry.content)).collect()
}

#[test]
fn what_goes_in_comes_out_in_order_and_numbered() {
    let buffer = Buffer::new(1024 * 1024);
    for value in 0..5 {
        assert!(!push(&buffer, f64::from(value)));
    }
    assert_eq!((buffer.records(), buffer.oldest_number(), buffer.next_number()), (5, Some(0), 5));
    let (chunk, number) = buffer.take().expect("records");
    assert_eq!((numbers(&chunk), number), (vec![0.0, 1.0, 2.0, 3.0, 4.0], 0));
    assert_eq!((buffer.records(), buffer.oldest_number(), buffer.next_number()), (0, None, 5));
    assert!(buffer.take().is_none());
    push(&buffer, 5.0);
    let (chunk, number) = buffer.take().expect("a record");
    assert_eq!((numbers(&chunk), number), (vec![5.0], 5));
}

#[test]
fn a_full_buffer_lets_the_oldest_go() {
    const LIMIT: usize = 40_000;
    let buffer = Buffer::new(LIMIT);
    let pushed: u32 = 5000;
    let dropping = (0..pushed).filter(|value| push(&buffer, f64::from(*value))).count();
    let (dropped, held) = (buffer.counts().dropped, buffer.records());
    assert!(0 < dropping && dropping < usize::try_from(dropped).unwrap(), "chunk by chunk");
    assert!(dropped > 0 && held > 0);
    assert_eq!(dropped + held, u64::from(pushed));
    assert_eq!(buffer.oldest_number(), Some(dropped));
    let mut left = Vec::new();
    let mut bytes = 0;
    while let Some((chunk, number)) = buffer.take() {
        assert_eq!(number, dropped + left.len() as u64);
        bytes += chunk.bytes;
        left.extend(numbers(&chunk));
    }
    let newest: Vec<f64> =
        (0..pushed).map(f64::from).skip(usize::try_from(dropped).unwrap()).collect();
    assert_eq!(left, newest);
    // The one that is being filled comes on top.
    assert!(bytes <= LIMIT + LIMIT / 8 + 1000, "{bytes}");
}

fn push_batch(buffer: &Buffer, records: u32) -> bool {
    buffer.push(|chunk| (0..records).for_each(|n| put(chunk, &METRIC, f64::from(n))))
}

#[test]
fn a_batch_larger_than_the_buffer_waits_until_as_much_comes_beside_it() {
    const LIMIT: usize = 20_000;
    let buffer = Buffer::new(LIMIT);
    push(&buffer, 0.0);
    assert!(!push_batch(&buffer, 2000), "it is not dropped for its own size");
    assert_eq!(buffer.woken().now_or_never(), Some(()), "it is to be taken at once");
    assert_eq!((buffer.records(), buffer.counts().dropped), (2001, 0));
    let mut beside = 0_u64;
    while !push(&buffer, 1.0) {
        beside += 1;
    }
    assert!(beside > 200, "{beside} records beside it");
    let counts = buffer.counts();
    // With the oldest of those beside it, which are above the limit by now.
    assert!((2001..2101).contains(&counts.dropped), "{} dropped", counts.dropped);
    assert_eq!((counts.came, counts.waiting), (2002 + beside, 2002 + beside - counts.dropped));
}

#[test]
fn of_two_batches_larger_than_the_buffer_the_newer_one_stays() {
    let buffer = Buffer::new(1000);
    assert!(!push_batch(&buffer, 500));
    assert!(push_batch(&buffer, 600));
    assert_eq!((buffer.records(), buffer.counts().dropped), (600, 500));
    assert_eq!(buffer.take().map(|(chunk, number)| (chunk.len(), number)), Some((600, 500)));
    assert!(buffer.take().is_none());
}

#[test]
fn age_is_that_of_the_oldest_record() {
    let buffer = Buffer::new(1024 * 1024);
    let later = Instant::now() + Duration::from_secs(60);
    assert_eq!(buffer.age(later), None);
    push(&buffer, 1.0);
    let age = buffer.age(later).expect("an age");
    assert!(Duration::from_secs(55) < age && age <= Duration::from_secs(60), "{age:?}");
    push(&buffer, 2.0);
    assert_eq!(buffer.age(later), Some(age));
    buffer.take();
    assert_eq!(buffer.age(later), None);
}

#[test]
fn only_the_first_record_after_falling_asleep_wakes() {
    let buffer = Buffer::new(1024 * 1024);
    push(&buffer, 1.0);
    assert!(!buffer.fall_asleep(), "there is a record");
    buffer.take();
    assert!(buffer.fall_asleep());
    assert_eq!(buffer.woken().now_or_never(), None);
    push(&buffer, 2.0);
    push(&buffer, 3.0);
    assert_eq!(buffer.woken().now_or_never(), Some(()));
    assert_eq!(buffer.woken().now_or_never(), None);
}

/// Every record is taken by the consumer, or counted as dropped; never both, never neither.
#[test]
fn nothing_is_lost_or_counted_twice_among_threads() {
    const PRODUCERS: u32 = 4;
    const EACH: u32 = 20_000;
    let buffer = Buffer::new(64 * 1024);
    let done = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut taken = Vec::new();
            let mut next = 0;
            loop {
                let last = done.load(Ordering::Acquire);
                while let Some((chunk, number)) = buffer.take() {
                    assert!(number >= next, "numbers go up");
                    next = number + chunk.len() as u64;
                    taken.extend(numbers(&chunk));
                }
                if last {
                    return taken;
                }
                std::thread::yield_now();
            }
        });
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let buffer = &buffer;
                scope.spawn(move || {
                    for value in 0..EACH {
                        push(buffer, f64::from(producer * EACH + value));
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.join().expect("a producer");
        }
        done.store(true, Ordering::Release);
        consumer.join().expect("the consumer")
    });
    let total = u64::from(PRODUCERS * EACH);
    assert_eq!(taken.len() as u64 + buffer.counts().dropped, total);
    assert_eq!(buffer.next_number(), total);
    for producer in 0..PRODUCERS {
        let range = f64::from(producer * EACH)..f64::from((producer + 1) * EACH);
        let own: Vec<f64> = taken.iter().copied().filter(|value| range.contains(value)).collect();
        assert!(own.is_sorted_by(|one, other| one < other), "each once, in order");
    }
}
