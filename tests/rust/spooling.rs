//! The engine with messages on disk, over a link that is not AMQP.

// A part of it belongs to other tests.
#[allow(dead_code)]
mod fake_link;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fake_link::{FakeConnector, Reaction};
use phanos_core::path::TextSlot;
use phanos_core::record::{Metric, Operation};
use phanos_delivery::{Content, DropReason, Failure, Sender, Settings, SpoolSettings, Stats};
use tokio::runtime::{Builder, Runtime};

/// For everything that should happen at once.
const DEADLINE: Duration = Duration::from_secs(20);

/// A directory of one test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("phanos-spooling-test-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.filter_map(|entry| entry.ok().map(name)).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Started {
    sender: Sender,
    _runtime: Runtime,
}

impl Started {
    fn new(connector: &Arc<FakeConnector>, directory: Option<&Path>) -> Self {
        let spool = directory.map(|directory| SpoolSettings {
            directory: directory.to_owned(),
            max_bytes: 64 * 1024 * 1024,
            adopt_interval: Duration::from_millis(50),
        });
        let sender = Sender::new(Settings {
            connector: connector.clone(),
            blocked_timeout: DEADLINE,
            answer_timeout: DEADLINE,
            attempts: 2,
            retry_delay: Duration::from_millis(10),
            buffer_bytes: 1024 * 1024,
            spool,
        });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        sender.start(|| Ok((runtime.handle().clone(), ()))).unwrap();
        Self { sender, _runtime: runtime }
    }

    fn push(&self, records: u32) {
        let metric = Arc::new(Metric::new("time_profiler", "histogram", "mS", "JOB"));
        self.sender.push(|chunk| {
            let metric = chunk.metric(&metric);
            let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
            for number in 0..records {
                let (operation, number) = (Operation::Observe, f64::from(number));
                chunk.push(metric, slot, Content::Number { operation, error_raised: None, number });
            }
        });
    }

    fn flush(&self) -> bool {
        self.sender.flush().expect("started").recv_timeout(DEADLINE).expect("a reply in time")
    }

    fn stop(&self) -> bool {
        self.sender.stop().expect("started").recv_timeout(DEADLINE).expect("a reply in time")
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        let dropped = self.sender.stats().dropped;
        dropped.iter().find(|(other, _)| *other == reason).expect("counted").1
    }

    /// Waits until the statistics are as they should be.
    fn wait_for_stats(&self, expected: impl Fn(&Stats) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !expected(&self.sender.stats()) {
            assert!(Instant::now() < deadline, "{:?}", self.sender.stats());
            std::thread::yield_now();
        }
    }

    fn told(&self) -> String {
        let lines = self.sender.take_log_lines().into_iter().map(|line| line.text);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A receiver that is away.
fn away() -> Arc<FakeConnector> {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    for _ in 0..10_000 {
        connector.refuse_once(Failure::Unreachable("away".into()));
    }
    connector
}

/// Leaves a file of a process that ended in an outage.
fn leave(directory: &Directory, records: u32) {
    // By itself, lest it adopts what others left.
    let own = Directory::new();
    let started = Started::new(&away(), Some(&own.0));
    started.push(records);
    assert!(started.stop());
    assert_eq!(started.sender.stats().spooled, u64::from(records));
    fs::create_dir_all(&directory.0).expect("made");
    for name in own.names() {
        fs::rename(own.0.join(&name), directory.0.join(&name)).expect("moved");
    }
}

#[test]
fn what_was_adopted_waits_for_consumers_to_come_back() {
    let directory = Directory::new();
    leave(&directory, 1000);
    // The receiver is there, and it has no consumer for a while.
    let connector = FakeConnector::new(&[Reaction::Return; 4], Reaction::Confirm);
    let started = Started::new(&connector, Some(&directory.0));
    started.wait_for_stats(|stats| stats.returned > 0);
    assert!(!started.flush(), "consumers may never come");
    started.push(10);
    started.wait_for_stats(|stats| stats.confirmed == 1010);
    assert_eq!(started.dropped(DropReason::Unroutable), 0);
    assert!(started.flush());
    assert!(started.stop());
    assert_eq!(directory.names(), <[&str; 0]>::default());
}

#[test]
fn what_waits_for_consumers_stays_on_disk_when_the_process_ends() {
    let directory = Directory::new();
    leave(&directory, 1000);
    let connector = FakeConnector::new(&[], Reaction::Return);
    let started = Started::new(&connector, Some(&directory.0));
    started.push(10);
    started.wait_for_stats(|stats| stats.returned > 0 && stats.adopted == 1000);
    assert!(started.stop());
    assert_eq!(started.dropped(DropReason::Unroutable), 0);
    let heir = Started::new(&FakeConnector::new(&[], Reaction::Confirm), Some(&directory.0));
    heir.wait_for_stats(|stats| stats.confirmed == 1010);
}

#[test]
fn records_of_an_outage_wait_for_consumers_without_a_spool_too() {
    let connector = FakeConnector::new(&[Reaction::Return; 2], Reaction::Confirm);
    connector.refuse_once(Failure::Unreachable("away".into()));
    let started = Started::new(&connector, None);
    started.push(10);
    started.wait_for_stats(|stats| stats.returned > 0);
    assert!(!started.flush());
    started.wait_for_stats(|stats| stats.confirmed == 10);
    assert_eq!(started.dropped(DropReason::Unroutable), 0);
}

#[test]
fn of_a_damaged_file_what_can_be_read_is_sent_and_the_rest_counted() {
    let directory = Directory::new();
    leave(&directory, 3000);
    let name = directory.names().pop().expect("a file");
    let path = directory.0.join(&name);
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let started = Started::new(&FakeConnector::new(&[], Reaction::Confirm), Some(&directory.0));
    started.wait_for_stats(|stats| stats.adopted == 3000 && stats.queued + stats.in_flight == 0);
    let lost = started.dropped(DropReason::Spool);
    let confirmed = started.sender.stats().confirmed;
    assert_eq!(confirmed + lost, 3000);
    assert!(lost > 0 && lost < 600, "one piece of several: {lost}");
    let told = started.told();
    assert!(told.contains(&format!("{lost} of 3000 records cannot be read")), "{told}");
    assert!(started.stop());
    assert_eq!(directory.names(), [format!("{name}.damaged")]);
}

#[test]
fn short_lived_programs_send_what_others_left() {
    let directory = Directory::new();
    for _ in 0..60 {
        leave(&directory, 2);
    }
    let mut confirmed = 0;
    for program in 1.. {
        let before = directory.names().len();
        if before == 0 {
            break;
        }
        let started = Started::new(&FakeConnector::new(&[], Reaction::Confirm), Some(&directory.0));
        started.push(1);
        assert!(started.flush());
        assert!(started.stop());
        confirmed += started.sender.stats().confirmed - 1;
        assert!(directory.names().len() < before, "program {program} sent nothing of {before}");
    }
    assert_eq!(confirmed, 120);
}

#[test]
fn what_is_gone_from_the_disk_is_counted_at_the_end() {
    let directory = Directory::new();
    let started = Started::new(&away(), Some(&directory.0));
    started.push(1000);
    started.wait_for_stats(|stats| stats.spooled == 1000);
    fs::remove_dir_all(&directory.0).expect("removed");
    fs::write(&directory.0, b"in the way").expect("written");
    started.wait_for_stats(|stats| stats.spooled == 0);
    let told = started.told();
    assert!(told.contains("was removed while in use"), "{told}");
    assert!(!started.stop());
    assert_eq!(started.dropped(DropReason::Closed), 1000);
    fs::remove_file(&directory.0).expect("removed");
}

#[test]
fn what_is_removed_is_written_again() {
    let directory = Directory::new();
    let started = Started::new(&away(), Some(&directory.0));
    started.push(1000);
    started.wait_for_stats(|stats| stats.spooled == 1000);
    fs::remove_dir_all(&directory.0).expect("removed");
    started.push(1);
    started.wait_for_stats(|stats| stats.spooled == 1001);
    assert!(started.stop());
    let heir = Started::new(&FakeConnector::new(&[], Reaction::Confirm), Some(&directory.0));
    heir.wait_for_stats(|stats| stats.confirmed == 1001);
}
