//! What was counted, stored and read again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use phanos_collector::{Aggregate, Changes, Format, Message, Store, page};

use crate::bodies::{body, call, record};
use crate::shown::{START_MS, brief_options, options, take};

/// A directory of a test, removed with it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("phanos-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Both formats, which together show all there is.
fn all_shown(aggregate: &Aggregate) -> (String, Vec<u8>) {
    let text = page(Format::OpenMetrics, aggregate, &[], 0, START_MS);
    let protobuf = page(Format::Protobuf, aggregate, &[], 0, START_MS);
    (String::from_utf8(text).expect("UTF-8"), protobuf)
}

fn fill(aggregate: &mut Aggregate) {
    let one = |kind: &str, value: &str| [record(kind, "", "A:b", "{}", value)];
    for milliseconds in [0.0, 0.01, 5.0, 70_000.0, -3.0] {
        take(aggregate, "h", &[call("A:b", milliseconds)]);
    }
    take(aggregate, "s", &one("summary", r#"["observe",10]"#));
    take(aggregate, "c", &one("counter", r#"["inc",2]"#));
    take(aggregate, "i", &one("info", r#"["info",{"version":"1"}]"#));
    take(aggregate, "e", &one("enum", r#"["state","up"]"#));
    take(aggregate, "e", &one("enum", r#"["state","down"]"#));
    for (worker, number) in [("a", 1), ("b", 7), ("b", 9)] {
        let body = body(&one("gauge", r#"["set",3]"#));
        let number = Some(number);
        let message = Message { worker, number, metric: "g", body: &body, ..Message::default() };
        aggregate.take(&message, START_MS);
    }
}

fn reopened(directory: &Directory) -> Aggregate {
    let (_, stored) = Store::open(directory.path()).expect("opened");
    Aggregate::load(brief_options("h"), &stored).expect("read")
}

#[test]
fn everything_is_there_again() {
    let directory = Directory::new();
    let mut aggregate = Aggregate::new(brief_options("h"));
    fill(&mut aggregate);
    let (mut store, _) = Store::open(directory.path()).expect("opened");
    store.commit(&aggregate.take_changes()).expect("written");
    drop(store);
    let mut again = reopened(&directory);
    assert_eq!(all_shown(&again), all_shown(&aggregate));
    assert_eq!(again.size(), aggregate.size());
    assert_eq!(again.jobs().collect::<Vec<_>>(), aggregate.jobs().collect::<Vec<_>>());
    // Numbers as well.
    let body = body(&[]);
    for (number, known) in [(7, true), (8, false), (9, true)] {
        let message =
            Message { worker: "b", number: Some(number), body: &body, ..Message::default() };
        assert_eq!(again.take(&message, START_MS).duplicate, known, "{number}");
    }
}

#[test]
fn only_what_has_changed_is_written() {
    let directory = Directory::new();
    let mut aggregate = Aggregate::new(brief_options("h"));
    fill(&mut aggregate);
    let (mut store, _) = Store::open(directory.path()).expect("opened");
    store.commit(&aggregate.take_changes()).expect("written");
    assert!(aggregate.take_changes().is_empty());
    take(&mut aggregate, "c", &[record("counter", "", "A:b", "{}", r#"["inc",1]"#)]);
    let changes = aggregate.take_changes();
    assert_eq!((changes.series().count(), changes.workers().len()), (1, 0));
    // Taken back, and taken again.
    aggregate.put_back(changes);
    let changes = aggregate.take_changes();
    assert_eq!((changes.series().count(), changes.families().len()), (1, 0));
    store.commit(&changes).expect("written");
    drop(store);
    assert_eq!(all_shown(&reopened(&directory)), all_shown(&aggregate));
}

#[test]
fn what_has_expired_is_gone_from_the_store() {
    let directory = Directory::new();
    let mut aggregate = Aggregate::new(options());
    take(&mut aggregate, "g", &[record("gauge", "", "A:b", "{}", r#"["set",1]"#)]);
    let (mut store, _) = Store::open(directory.path()).expect("opened");
    store.commit(&aggregate.take_changes()).expect("written");
    aggregate.tick(START_MS + 1_000_000_000);
    store.commit(&aggregate.take_changes()).expect("written");
    drop(store);
    assert_eq!(reopened(&directory).size(), (0, 0));
}

#[test]
fn the_state_belongs_to_its_owner_and_to_one_process() {
    let directory = Directory::new();
    let (mut store, _) = Store::open(directory.path()).expect("opened");
    store.commit(&Changes::default()).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(directory.path()), 0o700);
    let file = directory.path().join("phanos-collector.redb");
    assert_eq!(mode(&file), 0o600);
    let error = Store::open(directory.path()).err().expect("refused");
    assert!(error.contains("another process has it open"), "{error}");
    assert!(error.contains(file.to_str().expect("UTF-8")), "{error}");
}

#[test]
fn a_file_that_is_no_state_is_named() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).expect("made");
    let file = directory.path().join("phanos-collector.redb");
    for bytes in [&b"not a database"[..], &[0; 8192]] {
        fs::write(&file, bytes).expect("written");
        let error = Store::open(directory.path()).err().expect("refused");
        assert!(error.contains("phanos-collector.redb"), "{error}");
        assert_eq!(fs::read(&file).expect("read"), bytes, "left as it is");
    }
}
