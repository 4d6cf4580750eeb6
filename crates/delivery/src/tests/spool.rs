//! Messages that go to disk: piece by piece, within bounds, and back.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::fixtures::{Directory, message, spool_settings};
use crate::disk::spool::{Spool, SpoolEvent};
use crate::disk::spool_file::{PIECE_BYTES, StoredMessage};
use crate::messages::message::{Body, Message};
use crate::records::encode::join;

const DEADLINE: Duration = Duration::from_secs(20);

fn spool(directory: &Directory, name: &str) -> Spool {
    Spool::new(&spool_settings(directory.path()), "destination", name)
}

/// Runs a test that waits for the disk, with a deadline.
fn waiting(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(DEADLINE, test).await.expect("in time") });
}

/// Lets the spool work until everything is written; returns the pieces.
async fn write(spool: &mut Spool) -> Vec<(u64, u32)> {
    let mut pieces = Vec::new();
    loop {
        spool.advance(Instant::now());
        if !spool.is_behind() {
            return pieces;
        }
        match spool.event().await {
            SpoolEvent::Written(written) => pieces.extend(written),
            SpoolEvent::Failed(error) => panic!("{error}"),
            SpoolEvent::Loaded(_) | SpoolEvent::Adopted { .. } => {}
        }
    }
}

async fn adopted(spool: &mut Spool) -> Vec<StoredMessage> {
    spool.advance(Instant::now());
    loop {
        if let SpoolEvent::Adopted { messages, unreadable } = spool.event().await {
            assert_eq!(unreadable, Vec::<String>::new());
            return messages.into_iter().map(|(_, stored)| stored).collect();
        }
    }
}

async fn loaded(spool: &mut Spool, message: &Message) -> Vec<u8> {
    spool.load(vec![(message.sequence, message.spooled.expect("in the spool"))]);
    loop {
        if let SpoolEvent::Loaded(mut loaded) = spool.event().await {
            let (sequence, body) = loaded.pop().expect("one");
            assert_eq!(sequence, message.sequence);
            return body.expect("read");
        }
    }
}

fn grow(message: &mut Message, more: &[u8], records: u32) {
    let Body::Memory(body) = &mut message.body else { panic!("in memory") };
    join(Arc::make_mut(body), more);
    Arc::make_mut(&mut message.envelope).records += records;
}

#[test]
fn a_message_that_grows_is_written_piece_by_piece() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let mut message = message(1);
        spool.put(&mut message);
        assert_eq!(write(&mut spool).await, [(1, 0)]);
        grow(&mut message, b"[7,8]", 2);
        spool.put(&mut message);
        spool.put(&mut message);
        assert_eq!(write(&mut spool).await, [(1, 1)]);
        assert_eq!(loaded(&mut spool, &message).await, b"[1,7,8]");
        drop(spool);
        let mut next = self::spool(&directory, "next");
        let stored = adopted(&mut next).await;
        assert_eq!(stored.len(), 1);
        assert_eq!((stored[0].envelope.records, stored[0].body_bytes), (3, 7));
    });
}

#[test]
fn a_long_message_is_written_in_pieces_and_read_back_whole() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let mut message = message(1);
        let long = format!("[\"{}\"]", "x".repeat(3 * PIECE_BYTES));
        grow(&mut message, long.as_bytes(), 1);
        spool.put(&mut message);
        assert_eq!(write(&mut spool).await.len(), 4);
        let Body::Memory(body) = &message.body else { panic!("in memory") };
        assert_eq!(&loaded(&mut spool, &message).await, &**body);
    });
}

#[test]
fn what_was_removed_is_gone_and_an_empty_file_too() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let (mut one, mut other) = (message(1), message(2));
        spool.put(&mut one);
        write(&mut spool).await;
        spool.put(&mut other);
        // Never gets as far as the disk.
        spool.remove(other.spooled.take().expect("in the spool"));
        assert_eq!(write(&mut spool).await, []);
        spool.remove(one.spooled.take().expect("in the spool"));
        write(&mut spool).await;
        let path = fs::read_dir(directory.path()).expect("listed").next().expect("a file");
        assert!(path.expect("read").path().exists(), "kept for what comes next");
        spool.finish();
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
    });
}

#[test]
fn an_adopted_file_goes_when_everything_in_it_was_delivered() {
    waiting(async {
        let directory = Directory::new();
        let mut first = spool(&directory, "first");
        let mut message = message(1);
        first.put(&mut message);
        write(&mut first).await;
        drop(first);
        let mut second = spool(&directory, "second");
        second.advance(Instant::now());
        let SpoolEvent::Adopted { messages, .. } = second.event().await else { panic!("adopted") };
        let [(spooled, _)] = messages[..] else { panic!("one message") };
        second.remove(spooled);
        write(&mut second).await;
        second.finish();
        let mut third = spool(&directory, "third");
        assert!(adopted(&mut third).await.is_empty());
    });
}

#[test]
fn more_bytes_than_may_be_are_noticed() {
    let directory = Directory::new();
    let mut spool = spool(&directory, "worker");
    let (mut one, mut other) = (message(1), message(2));
    let long = format!("[\"{}\"]", "x".repeat(600 * 1024));
    for message in [&mut one, &mut other] {
        grow(message, long.as_bytes(), 1);
    }
    spool.put(&mut one);
    assert!(!spool.is_over_full());
    spool.put(&mut other);
    assert!(spool.is_over_full());
    spool.remove(one.spooled.expect("in the spool"));
    assert!(!spool.is_over_full());
}

#[test]
fn what_the_disk_refused_is_written_when_it_is_well_again() {
    waiting(async {
        let directory = Directory::new();
        fs::write(directory.path(), b"in the way").expect("written");
        let mut spool = spool(&directory, "worker");
        let (mut one, mut other) = (message(1), message(2));
        spool.put(&mut one);
        spool.advance(Instant::now());
        let error = loop {
            match spool.event().await {
                SpoolEvent::Failed(error) => break error,
                SpoolEvent::Adopted { .. } => {}
                SpoolEvent::Written(_) | SpoolEvent::Loaded(_) => panic!("it cannot"),
            }
        };
        assert!(error.contains("cannot be made"), "{error}");
        assert!(spool.is_behind());
        spool.advance(Instant::now());
        assert!(spool.deadline().is_some_and(|at| at > Instant::now()), "not at once again");
        spool.put(&mut other);
        fs::remove_file(directory.path()).expect("removed");
        spool.try_again();
        assert_eq!(write(&mut spool).await, [(1, 0), (2, 0)]);
    });
}
