//! One spool file: written, read back, taken over from dead processes, and damaged.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use super::fixtures::{Directory, amqp_settings, envelope, spool_settings};
use crate::amqp::settings::AmqpSettings;
use crate::disk::adopt::{Found, Search};
use crate::disk::directory::{check_spool, make_trial_file};
use crate::disk::entry::{Piece, split_records};
use crate::disk::scan::Live;
use crate::disk::spool_file::{Changes, SpoolFile, hash_of, path_of};
use crate::link::Connector;
use crate::process::locked_file::LockedFile;

const TARGET: &str = "0123456789abcdef";

fn adopt(directory: &Path) -> Found {
    adopt_for(directory, TARGET)
}

fn adopt_for(directory: &Path, target: &str) -> Found {
    Search {
        directory: directory.to_owned(),
        target: target.into(),
        known: HashSet::new(),
        candidates: VecDeque::new(),
        limit: 100,
    }
    .run()
}

fn is_nothing(found: &Found) -> bool {
    found.adopted.is_empty() && found.damaged.is_empty() && found.refused.is_empty()
}

/// Changes that put a message of these pieces, of two records each.
fn put(number: u64, pieces: &[&[u8]]) -> Changes {
    let mut changes = Changes::default();
    for (index, bytes) in (0..).zip(pieces) {
        let envelope = Arc::new(envelope(&format!("worker-{number}"), 0));
        changes.put.insert((number, index), Piece { envelope, records: 2, bytes: bytes.to_vec() });
    }
    changes
}

fn removal(number: u64) -> Changes {
    Changes { remove: vec![number], ..Changes::default() }
}

fn written(directory: &Path, name: &str, changes: &Changes) -> PathBuf {
    let path = path_of(directory, TARGET, name);
    let file = SpoolFile::create(&path).expect("a file");
    file.apply(changes).expect("written");
    path
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("listed").map(|entry| entry.expect("read"));
    let mut names: Vec<_> = entries.map(|e| e.file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn load(file: &SpoolFile, number: u64) -> Option<Vec<u8>> {
    file.load(&HashSet::from([number])).expect("read").remove(&number)
}

fn records(messages: &BTreeMap<u64, Live>) -> u64 {
    messages.values().map(|live| u64::from(live.envelope.records)).sum()
}

#[test]
fn what_was_written_is_read_back_by_the_next() {
    let directory = Directory::new();
    let mut changes = put(7, &[b"[1,2", b",3,4", b",5,6"]);
    changes.extend(put(3, &[b"[\xc5\xbe,2"]));
    let path = written(directory.path(), "worker", &changes);
    let found = adopt(directory.path());
    assert!(found.damaged.is_empty() && found.refused.is_empty());
    let [(file, stored)] = &found.adopted[..] else { panic!("one file") };
    assert_eq!(file.path(), path);
    let numbers: Vec<_> = stored.iter().map(|(number, one)| (*number, one.pieces)).collect();
    assert_eq!(numbers, [(3, 1), (7, 3)]);
    assert_eq!(stored[&3].envelope, envelope("worker-3", 2));
    assert_eq!(stored[&7].envelope, envelope("worker-7", 6));
    let body = load(file, 7).expect("there");
    assert_eq!(body, b"[1,2,3,4,5,6]");
    assert_eq!(stored[&7].bytes + 1, body.len());
    assert_eq!(load(file, 3).expect("there"), b"[\xc5\xbe,2]");
    assert_eq!(load(file, 4), None);
}

#[test]
fn a_file_that_is_locked_is_not_adopted() {
    let directory = Directory::new();
    let path = path_of(directory.path(), TARGET, "living");
    let file = SpoolFile::create(&path).expect("a file");
    file.apply(&put(1, &[b"[1,2"])).expect("written");
    assert!(is_nothing(&adopt(directory.path())));
    assert!(matches!(LockedFile::open(&path), Ok(None)));
    drop(file);
    assert_eq!(adopt(directory.path()).adopted.len(), 1);
}

#[test]
fn only_files_with_the_same_destination_are_adopted() {
    let directory = Directory::new();
    let settings = amqp_settings();
    let target = hash_of(&settings.destination());
    for other in [
        AmqpSettings { port: 5673, ..settings.clone() },
        AmqpSettings { host: "elsewhere".into(), ..settings.clone() },
        AmqpSettings { virtual_host: "other".into(), ..settings.clone() },
        AmqpSettings { exchange: "other".into(), ..settings.clone() },
    ] {
        assert_ne!(hash_of(&other.destination()), target);
    }
    written(directory.path(), "worker", &put(1, &[b"[1,2"]));
    assert!(is_nothing(&adopt_for(directory.path(), &target)));
}

/// Files outlive the version that wrote them, so this name may never change.
#[test]
fn a_destination_keeps_its_name() {
    assert_eq!(hash_of(&amqp_settings().destination()), "bbcf4e513609e5c9");
}

/// Nor may the form of the files.
#[test]
fn a_file_keeps_its_form() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1,2"]));
    let bytes = fs::read(&path).expect("there");
    assert_eq!(bytes.len(), 64 + 36 + 43 + 4);
    assert_eq!(&bytes[..16], b"phanos spool 1\n\0");
    assert_eq!(bytes[16..32], [147, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[64..68], [0xf5, b'p', b's', 0xfa]);
    assert_eq!(&bytes[100..], b"[\"worker-1\",\"JOB\",\"time_profiler\",\"worker\"][1,2");
}

#[test]
fn known_files_are_not_looked_at() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1,2"]));
    let found = Search {
        directory: directory.path().to_owned(),
        target: TARGET.into(),
        known: HashSet::from([path]),
        candidates: VecDeque::new(),
        limit: 1,
    }
    .run();
    assert!(is_nothing(&found));
}

#[test]
fn no_more_files_are_taken_over_than_wanted() {
    let directory = Directory::new();
    for name in ["a", "b", "c"] {
        written(directory.path(), name, &put(1, &[b"[1,2"]));
    }
    let search = |candidates| Search {
        directory: directory.path().to_owned(),
        target: TARGET.into(),
        known: HashSet::new(),
        candidates,
        limit: 2,
    };
    let found = search(VecDeque::new()).run();
    assert_eq!((found.adopted.len(), found.candidates.len()), (2, 1));
    // What went away meanwhile is no matter.
    let gone = path_of(directory.path(), TARGET, "gone");
    let candidates = std::iter::once(gone).chain(found.candidates).collect();
    let found = search(candidates).run();
    assert_eq!((found.adopted.len(), found.candidates.len()), (1, 0));
    assert!(found.refused.is_empty());
}

#[test]
fn what_is_no_file_is_left_alone() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).expect("made");
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, b"another file").expect("written");
    symlink(&elsewhere, path_of(directory.path(), TARGET, "link")).expect("linked");
    fs::create_dir(path_of(directory.path(), TARGET, "folder")).expect("made");
    assert!(is_nothing(&adopt(directory.path())));
    assert_eq!(fs::read(&elsewhere).expect("there"), b"another file");
}

#[test]
fn what_is_no_spool_is_put_aside_and_told_once() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).expect("made");
    for content in [&b"no spool at all"[..], b""] {
        let path = path_of(directory.path(), TARGET, "garbage");
        fs::write(&path, content).expect("written");
        let found = adopt(directory.path());
        assert!(found.adopted.is_empty());
        assert_eq!(found.damaged.len(), 1);
        assert!(found.damaged[0].contains("garbage"), "{:?}", found.damaged);
        assert!(is_nothing(&adopt(directory.path())));
    }
    let garbage = format!("{TARGET}-garbage.phanos-spool.damaged");
    assert_eq!(names(directory.path()), [garbage.clone(), format!("{garbage}-2")]);
    assert_eq!(fs::read(directory.path().join(garbage)).expect("kept"), b"no spool at all");
}

/// Whatever one byte, one page or the end of a file is: what can be read is, and every other
/// record is accounted for.
#[test]
fn no_damage_loses_a_record_in_silence() {
    let directory = Directory::new();
    let mut changes = put(1, &[b"[1,2", b",3,4", b",5,6"]);
    changes.extend(put(2, &[b"[7,8"]));
    changes.extend(put(3, &[b"[9,10", b",11,12"]));
    let path = path_of(directory.path(), TARGET, "worker");
    let file = SpoolFile::create(&path).expect("a file");
    file.apply(&changes).expect("written");
    file.apply(&removal(2)).expect("written");
    drop(file);
    let whole = fs::read(&path).expect("read");
    let mut mutations: Vec<(String, Vec<u8>)> = Vec::new();
    for place in (0..whole.len()).filter(|place| !(36..64).contains(place)) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        mutations.push((format!("bit in byte {place}"), flipped));
        mutations.push((format!("cut at {place}"), whole[..place].to_vec()));
        let mut zeroed = whole.clone();
        let end = (place + 100).min(whole.len());
        zeroed[place..end].fill(0);
        mutations.push((format!("zeros from {place}"), zeroed));
        let mut doubled = whole[..place].to_vec();
        doubled.extend_from_slice(&whole[place / 2..]);
        mutations.push((format!("repeated from {place}"), doubled));
    }
    for (what, bytes) in mutations {
        fs::write(&path, &bytes).expect("written");
        let found = adopt(directory.path());
        assert_eq!(found.refused, BTreeMap::new(), "{what}");
        let readable: u64 = found.adopted.iter().map(|(_, messages)| records(messages)).sum();
        if found.damaged.is_empty() {
            assert!(readable >= 10, "{what}: {readable}");
        } else if bytes.len() >= 64 && bytes[..64] == whole[..64] {
            assert!(readable + found.lost >= 10, "{what}: {readable} and {}", found.lost);
        }
        for (file, messages) in &found.adopted {
            for (number, live) in messages {
                let body = load(file, *number).expect("read");
                let body: Vec<u32> = serde_json::from_slice(&body).expect("JSON");
                assert_eq!(body.len(), live.envelope.records as usize, "{what}");
            }
            file.delete();
        }
        drop(found.adopted);
        let kept = path.with_extension("phanos-spool.damaged");
        assert_eq!(kept.exists(), !found.damaged.is_empty(), "{what}");
        assert!(!path.exists());
        if kept.exists() {
            assert_eq!(&fs::read(&kept).expect("kept")[..bytes.len()], &bytes[..], "{what}");
            fs::remove_file(kept).expect("removed");
        }
    }
}

/// The pieces around a damaged one are sent, also if it is the first.
#[test]
fn a_damaged_piece_takes_no_other_with_it() {
    let directory = Directory::new();
    for damaged in [b"[1,2", b",3,4", b",5,6"] {
        let path = written(directory.path(), "worker", &put(1, &[b"[1,2", b",3,4", b",5,6"]));
        let mut bytes = fs::read(&path).expect("read");
        let place = bytes.windows(4).position(|other| other == damaged).expect("there");
        bytes[place + 1] = b'x';
        fs::write(&path, bytes).expect("written");
        let found = adopt(directory.path());
        assert_eq!(found.lost, 2);
        assert!(found.damaged[0].contains("2 of 6 records cannot be read"), "{:?}", found.damaged);
        let [(file, messages)] = &found.adopted[..] else { panic!("one file") };
        assert_eq!(messages[&1].envelope.records, 4);
        let body: Vec<u32> = serde_json::from_slice(&load(file, 1).expect("read")).expect("JSON");
        assert_eq!(body.len(), 4);
        // What is gone is noted in damaged files as well.
        file.apply(&removal(1)).expect("written");
        drop(found);
        let again = adopt(directory.path());
        assert_eq!((again.adopted.len(), again.lost, again.damaged.len()), (0, 0, 1));
        let kept = path.with_extension("phanos-spool.damaged");
        fs::remove_file(kept).expect("put aside");
    }
}

/// A process that is killed while it writes leaves half an entry behind, which is no damage: what
/// comes next goes in its place.
#[test]
fn an_unfinished_end_is_no_damage() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1,2"]));
    let whole = fs::read(&path).expect("read");
    let end = whole.len();
    for count in [1, 20, 36, end - 64 - 1] {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&whole[64..64 + count]);
        fs::write(&path, &bytes).expect("written");
        let found = adopt(directory.path());
        assert!(found.damaged.is_empty(), "{:?}", found.damaged);
        let [(file, messages)] = &found.adopted[..] else { panic!("one file") };
        assert_eq!(records(messages), 2);
        file.apply(&put(2, &[b"[3,4"])).expect("written");
        drop(found);
        let found = adopt(directory.path());
        assert_eq!((found.adopted.len(), found.damaged.len()), (1, 0));
        assert_eq!(records(&found.adopted[0].1), 4);
    }
    // The last entry is whole, and the head does not say so yet: it counts.
    let mut bytes = whole.clone();
    let mut other = whole[64..].to_vec();
    bytes.append(&mut other);
    fs::write(&path, &bytes).expect("written");
    assert!(adopt(directory.path()).damaged.is_empty());
}

#[test]
fn a_file_with_nothing_in_it_goes() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1,2", b",3,4"]));
    let mut found = adopt(directory.path());
    let (file, _) = found.adopted.pop().expect("one file");
    file.apply(&removal(1)).expect("written");
    drop(file);
    assert!(path.exists());
    drop(SpoolFile::create(&path_of(directory.path(), TARGET, "never-used")).expect("a file"));
    fs::write(path_of(directory.path(), TARGET, "a").with_extension("phanos-spool.new"), b"")
        .expect("written");
    assert!(is_nothing(&adopt(directory.path())));
    assert_eq!(names(directory.path()), <[&str; 0]>::default());
}

#[test]
fn what_others_wrote_is_left_alone() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1,2"]));
    if chown(&path, Some(12345), None).is_err() {
        eprintln!("not root: no file of another user can be made");
        return;
    }
    let found = adopt(directory.path());
    assert!(found.adopted.is_empty() && found.damaged.is_empty());
    let told: Vec<_> = found.refused.values().collect();
    assert!(told[0].contains("it belongs to user 12345, not to 0; left as it is"), "{told:?}");
    assert!(path.exists());
    chown(&path, Some(0), None).expect("root");
    assert_eq!(adopt(directory.path()).adopted.len(), 1);
}

#[test]
fn only_the_owner_can_read_spool_files() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1,2"]));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(directory.path()), mode(&path)), (0o700, 0o600));
}

#[test]
fn directories_that_will_not_do_are_told() {
    let directory = Directory::new();
    let settings = spool_settings(directory.path());
    assert_eq!(check_spool(&settings), Ok(vec![]));
    assert_eq!(names(directory.path()), <[&str; 0]>::default());
    let all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory.path(), all).expect("set");
    let told = check_spool(&settings).expect("it does");
    assert!(told[0].ends_with("others can remove records, its mode is 777"), "{told:?}");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("set");
    assert_eq!(check_spool(&settings), Ok(vec![]));
    let mut large = settings.clone();
    large.max_bytes = u64::MAX;
    let told = check_spool(&large).expect("it does");
    assert!(told[0].contains("bytes are free, spool_bytes is"), "{told:?}");
    if chown(directory.path(), Some(12345), None).is_ok() {
        let told = check_spool(&settings).expect("it does");
        assert!(told[0].contains("it belongs to user 12345"), "{told:?}");
    }
    fs::remove_dir(directory.path()).expect("removed");
    fs::write(directory.path(), b"in the way").expect("written");
    let error = check_spool(&settings).expect_err("it cannot");
    assert!(error.contains("it cannot be made"), "{error}");
    assert!(error.starts_with(&*directory.path().to_string_lossy()), "{error}");
    fs::remove_file(directory.path()).expect("removed");
}

#[test]
fn a_directory_is_tried_out_by_many_at_once() {
    let directory = Directory::new();
    let settings = spool_settings(directory.path());
    let check = || (0..50).map(|_| check_spool(&settings)).collect::<Vec<_>>();
    let results = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(check)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert_eq!(results.iter().find(|result| **result != Ok(vec![])), None);
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_trial_file_of_another_is_left_alone() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).expect("made");
    fs::write(directory.path().join(".phanos-check-taken"), b"of another").expect("written");
    let taken = || "taken".into();
    let error = make_trial_file(directory.path(), taken).expect_err("it is there");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    let left = Mutex::new(vec!["free", "taken"]);
    let next = || left.lock().expect("no panic").pop().expect("a name").into();
    assert!(make_trial_file(directory.path(), next).expect("another name").is_some());
    assert_eq!(names(directory.path()), [".phanos-check-taken"]);
}

#[test]
fn changes_that_come_later_count() {
    let mut changes = put(1, &[b"[1,2"]);
    changes.extend(put(2, &[b"[2,2", b",3,3"]));
    changes.extend(removal(2));
    assert_eq!(changes.put.keys().collect::<Vec<_>>(), [&(1, 0)]);
    assert_eq!(changes.remove, [2]);
    assert_eq!((changes.cancel(1), changes.cancel(1)), (1, 0));
    assert!(!changes.is_empty());
}

#[test]
fn bodies_are_split_between_records() {
    let text = "x,\\\"]}".repeat(5000);
    let record = format!("{{\"item\":[1,\"{text}\"]}}");
    let bytes = format!("[{record},1,2,{record},{record},3");
    let parts = split_records(bytes.as_bytes());
    assert_eq!(parts.iter().map(|(_, records)| *records).sum::<u32>(), 6);
    assert!(parts.len() > 1 && parts.iter().all(|(part, _)| part.len() < 64 * 1024));
    let joined: Vec<u8> = parts.iter().flat_map(|(part, _)| part.to_vec()).collect();
    assert_eq!(joined, bytes.as_bytes());
    for (part, records) in parts {
        let whole = [b"[", &part[1..], b"]"].concat();
        let read: Vec<serde_json::Value> = serde_json::from_slice(&whole).expect("JSON");
        assert_eq!(read.len(), records as usize);
    }
    assert_eq!(split_records(b""), []);
    assert_eq!(split_records(b",1"), [(&b",1"[..], 1)]);
}

/// The disk that records take beyond their own bytes.
#[test]
fn files_are_little_larger_than_what_is_in_them() {
    let directory = Directory::new();
    let path = path_of(directory.path(), TARGET, "worker");
    let file = SpoolFile::create(&path).expect("a file");
    let bytes = vec![b'x'; 30_000];
    for number in 0..400 {
        file.apply(&put(number, &[&bytes])).expect("written");
    }
    let held = 400 * 30_000;
    let data = fs::metadata(&path).expect("there");
    let taken = 512 * data.blocks();
    assert!(taken < held * 11 / 10, "{taken} bytes for {held}");
}
