//! One spool file: messages on disk, in a file that one process holds locked.
//!
//! A file is named by the destination of its messages, so that only a handler with the same
//! destination adopts it. It holds no credentials.
//!
//! No call waits for the disk itself: what is written survives the process, and no more is
//! promised. A power cut may damage the file; what can be read of it is sent all the same.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::disk::entry::{HEAD_BYTES, Head, Piece, write_piece, write_removal};
use crate::disk::scan::{Damage, Live, bodies, scan};
use crate::process::locked_file::LockedFile;

const SUFFIX: &str = ".phanos-spool";
/// A file has this name until it has a head.
const NEW_SUFFIX: &str = ".phanos-spool.new";
/// A file of which something could not be read has this name in the end.
const DAMAGED_SUFFIX: &str = "damaged";
/// Bytes that are copied at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// A process that looks for files of dead ones may have a new file locked for a moment.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct SpoolFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: Arc<LockedFile>,
    /// Where the next entry goes.
    length: u64,
    /// Records of all messages.
    records: u64,
    messages: BTreeMap<u64, Extent>,
    damage: Option<Damage>,
    removed: bool,
}

/// Where a message is in its file, among others.
#[derive(Clone, Copy, Debug)]
struct Extent {
    first: u64,
    end: u64,
    records: u32,
}

/// Changes that are written together. No message is both put and removed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// By number of message and piece.
    pub(crate) put: BTreeMap<(u64, u32), Piece>,
    /// Numbers of messages.
    pub(crate) remove: Vec<u64>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }

    /// Takes back all pieces of a message that were to be put; returns how many there were.
    pub(crate) fn cancel(&mut self, number: u64) -> usize {
        let pieces: Vec<u32> = self
            .put
            .range((number, 0)..=(number, u32::MAX))
            .map(|((_, piece), _)| *piece)
            .collect();
        for piece in &pieces {
            self.put.remove(&(number, *piece));
        }
        pieces.len()
    }

    /// Adds later changes.
    pub(crate) fn extend(&mut self, later: Self) {
        for number in &later.remove {
            self.cancel(*number);
        }
        self.put.extend(later.put);
        self.remove.extend(later.remove);
    }
}

/// Whether a file is where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    /// It had been removed from outside; it was made again, with everything that was in it.
    Restored,
    /// It was removed from outside, and cannot be made again.
    Missing(String),
}

/// The path of a handler's file. `target` is a [`hash_of`] the destination, `name` is unique.
pub(crate) fn path_of(directory: &Path, target: &str, name: &str) -> PathBuf {
    directory.join(format!("{target}-{name}{SUFFIX}"))
}

/// A hash of a [destination](crate::link::Connector::destination), by which files are named.
/// Files outlive a version of this crate, so it depends on no library.
pub(crate) fn hash_of(destination: &str) -> String {
    // FNV-1a.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in destination.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// True for names of files with this destination.
pub(crate) fn is_named_by(name: &str, target: &str) -> bool {
    let rest = name.strip_prefix(target).is_some_and(|rest| rest.starts_with('-'));
    rest && (name.ends_with(SUFFIX) || is_new(name))
}

/// True for names of files that were never finished.
pub(crate) fn is_new(name: &str) -> bool {
    name.ends_with(NEW_SUFFIX)
}

impl SpoolFile {
    /// A new file; its directory is made if there is none.
    pub(crate) fn create(path: &Path) -> Result<Self, String> {
        let head = Head { length: HEAD_BYTES as u64, records: 0 };
        let file = Self::make(path, |file| file.write_all_at(&head.write(), 0))?;
        let state = State {
            file: Arc::new(file),
            length: head.length,
            records: 0,
            messages: BTreeMap::new(),
            damage: None,
            removed: false,
        };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Makes a file that has its name only when it is filled: no process adopts half a file.
    fn make(
        path: &Path,
        contents: impl Fn(&fs::File) -> io::Result<()>,
    ) -> Result<LockedFile, String> {
        if let Some(directory) = path.parent() {
            make_private(directory).map_err(|error| {
                format!("spool directory {} cannot be made: {error}", directory.display())
            })?;
        }
        let new = path.with_extension("phanos-spool.new");
        let undo = |error: io::Error| {
            let _ = fs::remove_file(&new);
            failed(path, &error)
        };
        for _ in 0..LOCK_ATTEMPTS {
            let file = match LockedFile::create(&new) {
                Ok(file) => file,
                // The process that has it locked is about to remove it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                Err(error) => return Err(undo(error)),
            };
            if let Some(file) = file {
                let filled = contents(file.file()).and_then(|()| fs::rename(&new, path));
                return filled.map(|()| file).map_err(undo);
            }
            thread::sleep(LOCK_PAUSE);
        }
        Err(failed(path, &"another process has it locked"))
    }

    /// A file that a dead process left, with the messages in it.
    pub(crate) fn of_dead(
        path: &Path,
        file: LockedFile,
    ) -> io::Result<(Self, BTreeMap<u64, Live>, Option<Damage>)> {
        let found = scan(file.file())?;
        let extents = found.messages.iter().map(|(number, live)| {
            let Live { first, end, ref envelope, .. } = *live;
            (*number, Extent { first, end, records: envelope.records })
        });
        let state = State {
            file: Arc::new(file),
            length: found.length,
            records: found.records,
            messages: extents.collect(),
            damage: found.damage,
            removed: false,
        };
        let file = Self { path: path.to_owned(), state: Mutex::new(state) };
        Ok((file, found.messages, found.damage))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends `changes`, in one piece; returns the size of the file. If it was removed, it is made
    /// again before.
    pub(crate) fn apply(&self, changes: &Changes) -> Result<(Presence, u64), String> {
        let mut state = self.state();
        if state.removed {
            return Ok((Presence::Present, 0));
        }
        let presence = self.restore(&mut state);
        if let Presence::Missing(error) = presence {
            return Err(error);
        }
        state.append(changes).map_err(|error| failed(&self.path, &error))?;
        Ok((presence, state.length))
    }

    /// Looks whether the file is still where it belongs, and makes it again if it is not.
    pub(crate) fn watch(&self) -> Presence {
        let mut state = self.state();
        if state.removed { Presence::Present } else { self.restore(&mut state) }
    }

    fn restore(&self, state: &mut State) -> Presence {
        if state.file.is_at(&self.path) {
            return Presence::Present;
        }
        let missing = |error: String| {
            let path = self.path.display();
            Presence::Missing(format!("spool {path} was removed while in use: {error}"))
        };
        if fs::symlink_metadata(&self.path).is_ok() {
            return missing("another file is in its place".into());
        }
        let (old, length) = (Arc::clone(&state.file), state.length);
        match Self::make(&self.path, |new| copy(old.file(), new, length)) {
            Ok(file) => {
                state.file = Arc::new(file);
                Presence::Restored
            }
            Err(error) => missing(error),
        }
    }

    /// The bodies of messages, by number.
    pub(crate) fn load(&self, numbers: &HashSet<u64>) -> Result<BTreeMap<u64, Vec<u8>>, String> {
        let (file, wanted) = {
            let state = self.state();
            let extent = |number: &u64| Some((*number, *state.messages.get(number)?));
            let wanted: BTreeMap<u64, Extent> = numbers.iter().filter_map(extent).collect();
            (Arc::clone(&state.file), wanted)
        };
        let first = wanted.values().map(|extent| extent.first).min().unwrap_or_default();
        let end = wanted.values().map(|extent| extent.end).max().unwrap_or_default();
        let read =
            bodies(file.file(), numbers, first, end).map_err(|error| failed(&self.path, &error))?;
        let is_whole = |(number, (mut body, records)): (u64, (Vec<u8>, u32))| {
            body.push(b']');
            (wanted.get(&number)?.records == records).then_some((number, body))
        };
        Ok(read.into_iter().filter_map(is_whole).collect())
    }

    /// Has the file kept in the end, since something in it cannot be read.
    pub(crate) fn note_damage(&self) {
        self.state().damage.get_or_insert(Damage { lost: 0, head_is_intact: true });
    }

    /// Removes the file, with everything in it sent or dropped. A damaged one gets another name
    /// instead: it may be of use.
    pub(crate) fn delete(&self) {
        // While it is still locked, so no other process is reading it.
        let mut state = self.state();
        if std::mem::replace(&mut state.removed, true) || !state.file.is_at(&self.path) {
            return;
        }
        // A file that cannot be removed is found again.
        let _ = match (state.damage, unused_name(&self.path)) {
            (None, _) => fs::remove_file(&self.path),
            (Some(_), Some(aside)) => fs::rename(&self.path, aside),
            (Some(_), None) => Ok(()),
        };
    }
}

impl State {
    fn append(&mut self, changes: &Changes) -> io::Result<()> {
        let mut bytes = Vec::new();
        for number in changes.remove.iter().filter(|number| self.messages.contains_key(number)) {
            write_removal(&mut bytes, *number);
        }
        let mut extents = Vec::with_capacity(changes.put.len());
        for ((number, place), piece) in &changes.put {
            let first = self.length + bytes.len() as u64;
            write_piece(&mut bytes, *number, *place, piece);
            let end = self.length + bytes.len() as u64;
            extents.push((*number, Extent { first, end, records: piece.records }));
        }
        let put: u64 = extents.iter().map(|(_, extent)| u64::from(extent.records)).sum();
        let gone = changes.remove.iter().filter_map(|number| self.messages.get(number));
        let gone: u64 = gone.map(|extent| u64::from(extent.records)).sum();
        let head = Head {
            length: self.length + bytes.len() as u64,
            records: (self.records + put).saturating_sub(gone),
        };
        let file = self.file.file();
        let written = file.write_all_at(&bytes, self.length);
        if let Err(error) = written.and_then(|()| file.write_all_at(&head.write(), 0)) {
            // What is half written must not be taken for damage.
            let _ = file.set_len(self.length);
            return Err(error);
        }
        (self.length, self.records) = (head.length, head.records);
        for number in &changes.remove {
            self.messages.remove(number);
        }
        for (number, extent) in extents {
            let known = self.messages.entry(number).or_insert(Extent { records: 0, ..extent });
            known.end = extent.end;
            known.records += extent.records;
        }
        Ok(())
    }
}

pub(crate) fn failed(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("spool {}: {error}", path.display())
}

pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(directory)
}

fn copy(from: &fs::File, to: &fs::File, length: u64) -> io::Result<()> {
    let mut bytes = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < length {
        let count = usize::try_from(length - offset).unwrap_or(usize::MAX).min(COPY_BYTES);
        from.read_exact_at(&mut bytes[..count], offset)?;
        to.write_all_at(&bytes[..count], offset)?;
        offset += count as u64;
    }
    Ok(())
}

/// A name for a file that is put aside.
fn unused_name(path: &Path) -> Option<PathBuf> {
    let name = |number: u32| {
        let number = if number > 1 { format!("-{number}") } else { String::new() };
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{DAMAGED_SUFFIX}{number}"));
        PathBuf::from(name)
    };
    (1..1000).map(name).find(|name| fs::symlink_metadata(name).is_err())
}
