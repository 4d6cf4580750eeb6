//! Messages that go to disk: piece by piece, within bounds, and back.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::fixtures::{Directory, message, spool_settings};
use crate::disk::entry::PIECE_BYTES;
use crate::disk::spool::{Adopted, Spool, SpoolEvent};
use crate::link::envelope::Envelope;
use crate::messages::message::{Body, Message};
use crate::process::locked_file::LockedFile;
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
            SpoolEvent::Written(written) => {
                pieces.extend(written.into_iter().map(|(sequence, piece, _)| (sequence, piece)));
            }
            SpoolEvent::Failed(error) => panic!("{error}"),
            SpoolEvent::Loaded(_) | SpoolEvent::Adopted(_) => {}
        }
    }
}

/// What the next search finds.
async fn search(spool: &mut Spool) -> Adopted {
    spool.advance(Instant::now());
    loop {
        if let SpoolEvent::Adopted(adopted) = spool.event().await {
            return adopted;
        }
    }
}

/// What a look at the files finds.
async fn look(spool: &mut Spool) -> Adopted {
    while spool.is_adopting() {
        search(spool).await;
    }
    spool.look_at_files();
    search(spool).await
}

/// The messages that the next search finds, each with the bytes of its body.
async fn adopted(spool: &mut Spool) -> Vec<(Envelope, usize)> {
    let found = search(spool).await;
    assert_eq!((found.told, found.refused, found.lost), (vec![], vec![], 0));
    found.messages.into_iter().map(|(_, envelope, bytes)| (envelope, bytes)).collect()
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
        assert_eq!((stored[0].0.records, stored[0].1), (3, 7));
    });
}

#[test]
fn a_long_message_is_written_in_pieces_and_read_back_whole() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let mut message = message(1);
        let text = "x".repeat(PIECE_BYTES / 2 - 40);
        for _ in 0..5 {
            grow(&mut message, format!("[{{\"a\":\"{text},{{\\\"\",\"b\":[1,2]}}]").as_bytes(), 1);
        }
        spool.put(&mut message);
        assert_eq!(write(&mut spool).await.len(), 3);
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
        spool.finish().await;
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
        let [(spooled, ..)] = search(&mut second).await.messages[..] else { panic!("one message") };
        second.remove(spooled);
        write(&mut second).await;
        second.finish().await;
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
                SpoolEvent::Adopted(_) => {}
                SpoolEvent::Written(_) | SpoolEvent::Loaded(_) => panic!("it cannot"),
            }
        };
        assert!(error.contains("cannot be made"), "{error}");
        assert!(spool.is_behind());
        spool.advance(Instant::now());
        assert!(
            spool.deadline(Instant::now()).is_some_and(|at| at > Instant::now()),
            "not at once again"
        );
        spool.put(&mut other);
        fs::remove_file(directory.path()).expect("removed");
        spool.try_again();
        assert_eq!(write(&mut spool).await, [(1, 0), (2, 0)]);
    });
}

#[test]
fn a_few_files_of_dead_processes_are_open_at_a_time_and_all_are_adopted() {
    const DEAD: usize = 50;
    waiting(async {
        let directory = Directory::new();
        fs::create_dir(directory.path()).expect("made");
        for number in 0..DEAD {
            // Each in a directory of its own: it looks for files of dead processes, too.
            let own = Directory::new();
            let mut dead = spool(&own, &format!("dead{number}"));
            dead.put(&mut message(1));
            write(&mut dead).await;
            for entry in fs::read_dir(own.path()).expect("listed") {
                let entry = entry.expect("an entry");
                fs::rename(entry.path(), directory.path().join(entry.file_name())).expect("moved");
            }
        }
        none_is_locked(&directory).await;
        let mut heir = spool(&directory, "heir");
        let mut adopted = 0;
        while adopted < DEAD {
            let found = search(&mut heir).await;
            assert!((1..=8).contains(&found.messages.len()) && found.told.is_empty());
            adopted += found.messages.len();
            // While it has these it takes no others over; those before may just be closing.
            assert_eq!(heir.is_adopting(), adopted < DEAD);
            heir.advance(Instant::now());
            no_more_files_open(&directory, 16).await;
            for (spooled, ..) in found.messages {
                heir.remove(spooled);
            }
        }
        heir.finish().await;
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
    });
}

/// Waits until no file is locked. They are closed on other threads, and Linux unlocks a file only
/// after its descriptor is gone from the table.
async fn none_is_locked(directory: &Directory) {
    for entry in fs::read_dir(directory.path()).expect("listed") {
        let path = entry.expect("an entry").path();
        while LockedFile::open(&path).expect("opened").is_none() {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until this process has at most so many files of the directory open: they are closed on
/// other threads.
async fn no_more_files_open(directory: &Directory, at_most: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while files_open(directory) > at_most {
        assert!(Instant::now() < deadline, "{} files are open", files_open(directory));
        tokio::task::yield_now().await;
    }
}

/// How many files of the directory this process has open.
fn files_open(directory: &Directory) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").expect("Linux");
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.starts_with(directory.path())).count()
}

#[test]
fn what_was_confirmed_is_given_back_to_the_disk_while_other_records_wait() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let long = format!("[\"{}\"]", "x".repeat(200 * 1024));
        let mut waiting = std::collections::VecDeque::new();
        for number in 1..100 {
            let mut next = message(number);
            grow(&mut next, long.as_bytes(), 1);
            spool.put(&mut next);
            waiting.push_back(next);
            if waiting.len() > 3 {
                let oldest: Message = waiting.pop_front().expect("one");
                spool.remove(oldest.spooled.expect("in the spool"));
            }
            write(&mut spool).await;
        }
        let size = |entry: std::io::Result<fs::DirEntry>| entry.ok()?.metadata().ok();
        let files = fs::read_dir(directory.path()).expect("listed").filter_map(size);
        let bytes: u64 = files.map(|data| data.len()).sum();
        assert!(bytes < 4 * 1024 * 1024, "{bytes} bytes for 0.6 MB");
    });
}

#[test]
fn files_that_somebody_removes_are_made_again() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let (mut one, mut other) = (message(1), message(2));
        spool.put(&mut one);
        write(&mut spool).await;
        fs::remove_dir_all(directory.path()).expect("removed");
        let found = look(&mut spool).await;
        assert!(found.told[0].contains("was removed while in use; it was made again"));
        // By writing, too.
        fs::remove_dir_all(directory.path()).expect("removed");
        spool.put(&mut other);
        write(&mut spool).await;
        let found = search(&mut spool).await;
        assert!(found.told[0].contains("was removed while in use; it was made again"));
        assert_eq!(loaded(&mut spool, &one).await, b"[1]");
        drop(spool);
        assert_eq!(adopted(&mut self::spool(&directory, "next")).await.len(), 2);
    });
}

#[test]
fn files_that_cannot_be_made_again_are_known() {
    waiting(async {
        let directory = Directory::new();
        let mut spool = spool(&directory, "worker");
        let mut one = message(1);
        spool.put(&mut one);
        write(&mut spool).await;
        fs::remove_dir_all(directory.path()).expect("removed");
        fs::write(directory.path(), b"in the way").expect("written");
        let found = look(&mut spool).await;
        let spooled = one.spooled.expect("in the spool");
        assert_eq!(found.presence, [(spooled.file, false)]);
        assert!(found.told.iter().any(|text| text.contains("cannot be made")), "{:?}", found.told);
        assert!(spool.is_missing(spooled));
        fs::remove_file(directory.path()).expect("removed");
        assert_eq!(look(&mut spool).await.presence, [(spooled.file, true)]);
    });
}
