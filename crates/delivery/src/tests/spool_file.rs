//! One spool file: written, read back, and taken over from dead processes.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::fixtures::{Directory, amqp_settings, envelope};
use crate::amqp::settings::AmqpSettings;
use crate::disk::spool_file::{Changes, Found, PIECE_BYTES, SpoolFile, hash_of, path_of, piece};
use crate::link::Connector;

const TARGET: &str = "0123456789abcdef";

fn adopt(directory: &Path) -> Found {
    SpoolFile::adopt(directory, TARGET, &HashSet::new())
}

/// Changes that put a message of these pieces.
fn put(number: u64, pieces: &[&[u8]]) -> Changes {
    let mut changes = Changes::default();
    for (index, bytes) in (0..).zip(pieces) {
        let envelope = (index == 0).then(|| envelope(&format!("worker-{number}"), 0));
        changes.put.insert((number, index), piece(envelope.as_ref(), 2, bytes));
    }
    changes
}

fn written(directory: &Path, name: &str, changes: &Changes) -> PathBuf {
    let path = path_of(directory, TARGET, name);
    let file = SpoolFile::create(&path).expect("a file");
    file.apply(changes).expect("written");
    path
}

#[test]
fn what_was_written_is_read_back_by_the_next() {
    let directory = Directory::new();
    let mut changes = put(7, &[b"[1,2", b",3,4", b",5,6"]);
    changes.extend(put(3, &[b"[\xc5\xbe,2"]));
    let path = written(directory.path(), "worker", &changes);
    let found = adopt(directory.path());
    assert_eq!(found.unreadable, []);
    let [(file, stored)] = &found.adopted[..] else { panic!("one file") };
    assert_eq!(file.path(), path);
    let numbers: Vec<_> = stored.iter().map(|one| (one.number, one.pieces)).collect();
    assert_eq!(numbers, [(3, 1), (7, 3)]);
    assert_eq!(stored[0].envelope, envelope("worker-3", 2));
    assert_eq!(stored[1].envelope, envelope("worker-7", 6));
    let body = file.load(7).expect("read").expect("there");
    assert_eq!(body, b"[1,2,3,4,5,6]");
    assert_eq!(stored[1].body_bytes, body.len());
    assert_eq!(file.load(3), Ok(Some(b"[\xc5\xbe,2]".to_vec())));
    assert_eq!(file.load(4), Ok(None));
}

#[test]
fn a_file_that_is_locked_is_not_adopted() {
    let directory = Directory::new();
    let path = path_of(directory.path(), TARGET, "living");
    let file = SpoolFile::create(&path).expect("a file");
    file.apply(&put(1, &[b"[1"])).expect("written");
    let found = adopt(directory.path());
    assert!(found.adopted.is_empty() && found.unreadable.is_empty());
    assert!(matches!(SpoolFile::open(&path, false), Ok(None)));
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
    written(directory.path(), "worker", &put(1, &[b"[1"]));
    let found = SpoolFile::adopt(directory.path(), &target, &HashSet::new());
    assert!(found.adopted.is_empty() && found.unreadable.is_empty());
}

/// Files outlive the version that wrote them, so this name may never change.
#[test]
fn a_destination_keeps_its_name() {
    assert_eq!(hash_of(&amqp_settings().destination()), "bbcf4e513609e5c9");
}

#[test]
fn known_files_are_not_looked_at() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1"]));
    let found = SpoolFile::adopt(directory.path(), TARGET, &HashSet::from([path]));
    assert!(found.adopted.is_empty());
}

#[test]
fn what_is_no_spool_is_left_alone_and_told() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).expect("made");
    let garbage = path_of(directory.path(), TARGET, "garbage");
    fs::write(&garbage, b"no database at all").expect("written");
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, b"another file").expect("written");
    let link = path_of(directory.path(), TARGET, "link");
    symlink(&elsewhere, &link).expect("linked");
    fs::create_dir(path_of(directory.path(), TARGET, "folder")).expect("made");
    let found = adopt(directory.path());
    assert!(found.adopted.is_empty());
    let unreadable: Vec<_> = found.unreadable.iter().map(|(path, _)| path).collect();
    assert_eq!(unreadable, [&garbage]);
    assert!(found.unreadable[0].1.contains("garbage"), "{}", found.unreadable[0].1);
    assert_eq!(fs::read(&garbage).expect("there"), b"no database at all");
    assert_eq!(fs::read(&elsewhere).expect("there"), b"another file");
}

#[test]
fn a_file_cut_short_is_left_alone_and_told() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[&vec![b'x'; 100_000]]));
    let whole = fs::metadata(&path).expect("there").len();
    fs::File::options().write(true).open(&path).expect("open").set_len(whole / 2).expect("cut");
    let found = adopt(directory.path());
    assert!(found.adopted.is_empty());
    assert_eq!(found.unreadable.len(), 1, "told");
    assert!(path.exists());
}

#[test]
fn a_file_with_nothing_in_it_goes() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1", b",2"]));
    let file = SpoolFile::open(&path, false).expect("read").expect("free");
    file.apply(&Changes { remove: vec![(1, 2)], ..Changes::default() }).expect("written");
    drop(file);
    let never_used = path_of(directory.path(), TARGET, "never-used");
    fs::write(&never_used, b"").expect("made");
    let found = adopt(directory.path());
    assert!(found.adopted.is_empty() && found.unreadable.is_empty());
    assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
}

#[test]
fn only_the_owner_can_read_spool_files() {
    let directory = Directory::new();
    let path = written(directory.path(), "worker", &put(1, &[b"[1"]));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(directory.path()), mode(&path)), (0o700, 0o600));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = Directory::new();
    fs::write(directory.path(), b"in the way").expect("written");
    let path = path_of(directory.path(), TARGET, "worker");
    let error = SpoolFile::create(&path).err().expect("an error");
    assert!(error.contains(&*directory.path().to_string_lossy()), "{error}");
    fs::remove_file(directory.path()).expect("removed");
}

#[test]
fn changes_that_come_later_count() {
    let mut changes = put(1, &[b"[1"]);
    changes.extend(put(2, &[b"[2", b",3"]));
    changes.extend(Changes { remove: vec![(2, 2)], ..Changes::default() });
    assert_eq!(changes.put.keys().collect::<Vec<_>>(), [&(1, 0)]);
    assert_eq!(changes.remove, [(2, 2)]);
    assert_eq!((changes.cancel(1), changes.cancel(1)), (1, 0));
    assert!(!changes.is_empty());
}

/// A page is a power of two: a piece of one byte more would take twice as much.
#[test]
fn pieces_fill_their_pages() {
    let directory = Directory::new();
    let path = path_of(directory.path(), TARGET, "worker");
    let file = SpoolFile::create(&path).expect("a file");
    let bytes = vec![b'x'; PIECE_BYTES];
    let mut long = envelope("a-worker-with-a-rather-long-name-1", 1);
    long.metric = "m".repeat(200).into();
    for number in 0..400 {
        let mut changes = Changes::default();
        changes.put.insert((number, 0), piece(Some(&long), 1, &bytes));
        file.apply(&changes).expect("written");
    }
    let held = 400 * PIECE_BYTES as u64;
    let data = fs::metadata(&path).expect("there");
    let taken = 512 * data.blocks();
    assert!(taken < held * 3 / 2, "{taken} bytes for {held}");
}
