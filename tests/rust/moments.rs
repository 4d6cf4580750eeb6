//! The statistics of any moment add up, whatever happens to link and runtime.

mod fake_link;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fake_link::{FakeConnector, Reaction};
use phanos_core::path::TextSlot;
use phanos_core::record::{Metric, Operation};
use phanos_delivery::{Content, Failure, LinkEvent, Sender, Settings, SpoolSettings, Stats};
use tokio::runtime::{Builder, Runtime};

const DEADLINE: Duration = Duration::from_secs(60);
const BATCHES: u64 = 2000;
const REACTIONS: [Reaction; 10] = [
    Reaction::Confirm,
    Reaction::Reject,
    Reaction::Return,
    Reaction::Break,
    Reaction::Blame,
    Reaction::Ignore,
    Reaction::ReturnLate,
    Reaction::ReturnUnknown,
    Reaction::Panic,
    Reaction::Confirm,
];

/// Numbers that look random, and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }
}

/// Sets a flag when it is dropped: a failing assertion is seen, and nothing waits for ever.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread")
}

fn push(sender: &Sender, metric: &Arc<Metric>, records: u64) {
    sender.push(|chunk| {
        let metric = chunk.metric(metric);
        let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
        for _ in 0..records {
            let operation = Operation::Observe;
            chunk.push(
                metric,
                slot,
                Content::Number { operation, error_raised: None, number: 1.0 },
            );
        }
    });
}

/// Where the records are that were handed over or adopted.
fn accounted_for(stats: &Stats) -> u64 {
    let dropped: u64 = stats.dropped.iter().map(|(_, records)| records).sum();
    stats.confirmed + dropped + stats.queued + stats.in_flight + stats.left
}

fn fault(connector: &FakeConnector, random: &mut Random) {
    match random.below(40) {
        0 => connector.happen(LinkEvent::Blocked("no memory".into())),
        1 => connector.happen(LinkEvent::Unblocked),
        2 => connector.happen(LinkEvent::Lost(Failure::Lost("gone".into()))),
        3 => connector.refuse_once(Failure::Unreachable("away".into())),
        _ => {}
    }
}

/// Hands records over under random faults while every moment is looked at; returns the numbers of
/// moments, and of records that were handed over.
fn watched(seed: u64, spool: Option<SpoolSettings>) -> (u64, Stats) {
    let mut random = Random(seed);
    let reactions: Vec<_> =
        (0..300).map(|_| REACTIONS[usize::try_from(random.below(10)).expect("few")]).collect();
    let connector = FakeConnector::new(&reactions, Reaction::Confirm);
    let short = Duration::from_millis(20);
    let sender = Sender::new(Settings {
        connector: connector.clone(),
        blocked_timeout: short,
        answer_timeout: short,
        attempts: 1,
        retry_delay: Duration::from_millis(10),
        buffer_bytes: 60_000,
        spool,
    });
    let mut works = runtime();
    sender.start(|| Ok((works.handle().clone(), ()))).expect("started");
    let metrics = ["one", "two"].map(|name| Arc::new(Metric::new(name, "histogram", "mS", "JOB")));
    let (begun, given, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let moments = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut moments = 0;
            while !done.load(Ordering::Acquire) {
                let least = given.load(Ordering::SeqCst);
                let stats = sender.stats();
                let most = begun.load(Ordering::SeqCst);
                assert_eq!(stats.handed_over + stats.adopted, accounted_for(&stats), "{stats:?}");
                assert!(least <= stats.handed_over && stats.handed_over <= most, "{stats:?}");
                moments += 1;
            }
            moments
        });
        let ends_watching = SetOnDrop(&done);
        for batch in 0..BATCHES {
            let records = 1 + random.below(20);
            begun.fetch_add(records, Ordering::SeqCst);
            push(&sender, &metrics[usize::try_from(batch % 2).expect("few")], records);
            given.fetch_add(records, Ordering::SeqCst);
            fault(&connector, &mut random);
            if batch == BATCHES / 2 {
                // The runtime ends in the middle of everything.
                std::mem::replace(&mut works, runtime()).shutdown_background();
                let deadline = Instant::now() + DEADLINE;
                while !sender.is_abandoned() {
                    assert!(Instant::now() < deadline, "the engine is dropped");
                }
                sender.start(|| Ok((works.handle().clone(), ()))).expect("started");
            }
            if batch % 64 == 0 {
                thread::sleep(Duration::from_millis(random.below(4)));
            }
        }
        let stopped = sender.stop().expect("started").recv_timeout(DEADLINE);
        drop(ends_watching);
        stopped.expect("in time");
        watching.join().expect("every moment adds up")
    });
    let stats = sender.stats();
    assert_eq!((stats.queued, stats.in_flight), (0, 0), "{stats:?}");
    assert_eq!(stats.handed_over, given.load(Ordering::SeqCst));
    assert_eq!(stats.handed_over + stats.adopted, accounted_for(&stats), "{stats:?}");
    assert!(connector.opened.load(Ordering::SeqCst) >= connector.closed.load(Ordering::SeqCst));
    assert!(connector.received.len() as u64 >= stats.messages);
    (moments, stats)
}

#[test]
fn every_moment_adds_up_under_random_faults() {
    let mut confirmed = 0;
    for seed in 0..12 {
        let (moments, stats) = watched(seed, None);
        assert!(moments > 10, "{moments} looked at");
        confirmed += stats.confirmed;
    }
    assert!(confirmed > 0, "something arrives");
}

#[test]
fn every_moment_adds_up_with_a_spool() {
    for seed in 100..104 {
        let directory = Directory::new(seed);
        let spool = SpoolSettings {
            directory: directory.0.clone(),
            max_bytes: 200_000,
            adopt_interval: Duration::from_millis(20),
        };
        let (moments, _) = watched(seed, Some(spool));
        assert!(moments > 10, "{moments} looked at");
    }
}

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(seed: u64) -> Self {
        let name = format!("phanos-moments-{}-{seed}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
