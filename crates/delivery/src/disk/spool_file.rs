//! One spool file: messages on disk, in a database that one process holds locked.
//!
//! A message is written in pieces, since it grows while it waits; the first piece begins with the
//! envelope. A file is named by the destination of its messages, so that only a handler with the
//! same destination adopts it. It holds no credentials.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{Value, json};

use crate::link::envelope::Envelope;
use crate::process::locked_file::LockedFile;

/// By number of message and piece: how many records begin in the piece (4 bytes, little endian),
/// then bytes of the body. All pieces together are the body without its closing bracket.
const MESSAGES: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("messages");
const SUFFIX: &str = ".phanos-spool";
/// redb's own default is a gigabyte.
const CACHE_BYTES: usize = 1024 * 1024;
/// A page of the database is a power of two; a piece of this size and its key just fit into one.
pub(crate) const PIECE_BYTES: usize = 32 * 1024 - 1024;

/// A process that looks for files of dead ones may have a new file locked for a moment.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

pub(crate) const LOCKED_BY_ANOTHER: &str = "another process has it locked";

pub(crate) struct SpoolFile {
    database: Database,
    path: PathBuf,
}

/// A message in a spool file, without its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoredMessage {
    pub(crate) number: u64,
    pub(crate) pieces: u32,
    pub(crate) envelope: Envelope,
    pub(crate) body_bytes: usize,
}

/// Files of dead processes.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) adopted: Vec<(SpoolFile, Vec<StoredMessage>)>,
    /// Files that cannot be read, and why. They are left as they are.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// Changes that are written in one transaction. No message is both put and removed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Pieces, by number of message and piece.
    pub(crate) put: BTreeMap<(u64, u32), Vec<u8>>,
    /// Numbers of messages, and how many pieces each has.
    pub(crate) remove: Vec<(u64, u32)>,
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
        for (number, _) in &later.remove {
            self.cancel(*number);
        }
        self.put.extend(later.put);
        self.remove.extend(later.remove);
    }
}

/// A piece as it is written; the first one of a message contains its envelope.
pub(crate) fn piece(envelope: Option<&Envelope>, records: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = records.to_le_bytes().to_vec();
    if let Some(envelope) = envelope {
        let fields = json!([envelope.id, envelope.routing_key, envelope.metric, envelope.worker])
            .to_string();
        out.extend_from_slice(fields.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(bytes);
    out
}

/// The path of a handler's file. `target` is a [`hash_of`] the destination, `name` is unique.
pub(crate) fn path_of(directory: &Path, target: &str, name: &str) -> PathBuf {
    directory.join(format!("{target}-{name}{SUFFIX}"))
}

impl SpoolFile {
    /// A new file; its directory is made if there is none.
    pub(crate) fn create(path: &Path) -> Result<Self, String> {
        if let Some(directory) = path.parent() {
            make_private(directory).map_err(|error| {
                format!("spool directory {} cannot be made: {error}", directory.display())
            })?;
        }
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(file) = Self::open(path, true)? {
                return Ok(file);
            }
            thread::sleep(LOCK_PAUSE);
        }
        Err(failed(path, &LOCKED_BY_ANOTHER))
    }

    /// `None` if another process has the file locked.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Option<Self>, String> {
        let file = LockedFile::open(path, create).map_err(|error| failed(path, &error))?;
        let Some(file) = file else { return Ok(None) };
        // redb panics on some files that are no database.
        let open = || Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file);
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(database)) => Ok(Some(Self { database, path: path.to_owned() })),
            Ok(Err(error)) => Err(failed(path, &error)),
            Err(_) => Err(failed(path, &"not a spool")),
        }
    }

    /// Takes over the files of `target` whose processes are dead; living ones have theirs locked.
    /// `known` are left out.
    pub(crate) fn adopt(directory: &Path, target: &str, known: &HashSet<PathBuf>) -> Found {
        let mut found = Found::default();
        let Ok(listed) = fs::read_dir(directory) else { return found };
        let mut paths: Vec<PathBuf> = listed
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| !known.contains(path) && is_of(path, target))
            .collect();
        // Names begin with the process id, so this is roughly the order in which processes started.
        paths.sort();
        for path in paths {
            match Self::take_over(&path) {
                Ok(Some(adopted)) => found.adopted.push(adopted),
                Ok(None) => {}
                // Its process, or another one that adopted it, has removed it meanwhile.
                Err(_) if !path.exists() => {}
                Err(error) => found.unreadable.push((path, error)),
            }
        }
        found
    }

    fn take_over(path: &Path) -> Result<Option<(Self, Vec<StoredMessage>)>, String> {
        let Some(file) = Self::open(path, false)? else { return Ok(None) };
        let list = catch_unwind(AssertUnwindSafe(|| file.list()));
        let stored =
            list.unwrap_or_else(|_| Err("not a spool".into())).map_err(|e| failed(path, &e))?;
        if stored.is_empty() {
            file.delete();
            return Ok(None);
        }
        Ok(Some((file, stored)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the file.
    pub(crate) fn size_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |data| data.len())
    }

    /// Writes `changes` in one transaction.
    pub(crate) fn apply(&self, changes: &Changes) -> Result<(), String> {
        self.write(changes).map_err(|error| failed(&self.path, &error))
    }

    fn write(&self, changes: &Changes) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(MESSAGES)?;
            for (number, pieces) in &changes.remove {
                for piece in 0..*pieces {
                    table.remove((*number, piece))?;
                }
            }
            for (key, value) in &changes.put {
                table.insert(key, &**value)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn list(&self) -> Result<Vec<StoredMessage>, String> {
        let list = || -> Result<Vec<StoredMessage>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = match transaction.open_table(MESSAGES) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                opened => opened?,
            };
            let mut stored: Vec<StoredMessage> = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                add_piece(&mut stored, key.value(), value.value());
            }
            Ok(stored)
        };
        list().map_err(|error| error.to_string())
    }

    /// The body of a message.
    pub(crate) fn load(&self, number: u64) -> Result<Option<Vec<u8>>, String> {
        let load = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(MESSAGES)?;
            let mut body = Vec::new();
            for row in table.range((number, 0)..=(number, u32::MAX))? {
                let (key, value) = row?;
                let Some((_, bytes, _)) = read(key.value().1, value.value()) else {
                    return Ok(None);
                };
                body.extend_from_slice(bytes);
            }
            if body.is_empty() {
                return Ok(None);
            }
            body.push(b']');
            Ok(Some(body))
        };
        load().map_err(|error| failed(&self.path, &error))
    }

    /// Removes the file.
    pub(crate) fn delete(self) {
        // While it is still locked, so no other process is reading it.
        let _ = fs::remove_file(&self.path);
    }
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

fn is_of(path: &Path, target: &str) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    name.is_some_and(|name| name.starts_with(&format!("{target}-")) && name.ends_with(SUFFIX))
        && fs::symlink_metadata(path).is_ok_and(|data| data.is_file())
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("spool {}: {error}", path.display())
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(directory)
}

/// Adds a row to the message that it belongs to; a row that belongs to none is ignored.
fn add_piece(stored: &mut Vec<StoredMessage>, (number, piece): (u64, u32), value: &[u8]) {
    let Some((records, bytes, envelope)) = read(piece, value) else { return };
    match (envelope, stored.last_mut()) {
        (Some(envelope), _) => {
            let envelope = Envelope { records, ..envelope };
            // Plus the closing bracket, which is not on disk.
            stored.push(StoredMessage { number, pieces: 1, envelope, body_bytes: bytes.len() + 1 });
        }
        (None, Some(last)) if last.number == number && last.pieces == piece => {
            last.pieces += 1;
            last.envelope.records += records;
            last.body_bytes += bytes.len();
        }
        _ => {}
    }
}

/// Splits a row into records, bytes of the body and, in a first piece, the envelope.
fn read(piece: u32, value: &[u8]) -> Option<(u32, &[u8], Option<Envelope>)> {
    let (records, rest) = value.split_first_chunk::<4>()?;
    let records = u32::from_le_bytes(*records);
    if piece > 0 {
        return Some((records, rest, None));
    }
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let fields: Vec<Value> = serde_json::from_slice(&rest[..end]).ok()?;
    let text = |index: usize| Some(fields.get(index)?.as_str()?.into());
    let envelope = Envelope {
        id: text(0)?,
        routing_key: text(1)?,
        metric: text(2)?,
        worker: text(3)?,
        records,
    };
    Some((records, &rest[end + 1..], Some(envelope)))
}
