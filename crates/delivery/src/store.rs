//! One spool file: messages on disk, in a store that one process holds locked.
//!
//! A message is written in pieces, since it grows while it waits; the first one begins with
//! the envelope. A file is named for where its messages go, so that only a handler with the
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

use super::locked_file::LockedFile;
use super::message::Envelope;
use super::settings::Settings;

/// By number and piece: how many records begin here (4 bytes, little endian), then bytes. All
/// pieces of a message make its body, but for the closing bracket.
const MESSAGES: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("messages");
const SUFFIX: &str = ".phanos-spool";
/// redb would take up to a gigabyte.
const CACHE_BYTES: usize = 1024 * 1024;
/// A page of the store is a power of two; with what goes beside it, this just fits.
pub(super) const PIECE_BYTES: usize = 32 * 1024 - 1024;

/// Somebody who looks for files of the dead may have a new file locked for a moment.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Store {
    database: Database,
    path: PathBuf,
}

/// What a file holds of one message, but for its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) number: u64,
    pub(super) pieces: u32,
    pub(super) envelope: Envelope,
    pub(super) body_bytes: usize,
}

/// Files that processes left behind.
#[derive(Default)]
pub(super) struct Found {
    pub(super) adopted: Vec<(Store, Vec<Stored>)>,
    /// Files that cannot be read, and why. They are left as they are.
    pub(super) refused: Vec<(PathBuf, String)>,
}

/// Changes that belong together. What is put is not among what is removed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By number and piece.
    pub(super) put: BTreeMap<(u64, u32), Vec<u8>>,
    /// Numbers, and how many pieces they have.
    pub(super) remove: Vec<(u64, u32)>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }

    /// Forgets what was to be put of a message; returns how many pieces that were.
    pub(super) fn cancel(&mut self, number: u64) -> usize {
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

    /// Adds changes that came later.
    pub(super) fn extend(&mut self, later: Self) {
        for (number, _) in &later.remove {
            self.cancel(*number);
        }
        self.put.extend(later.put);
        self.remove.extend(later.remove);
    }
}

/// A piece as it is written; the first one of a message brings its envelope along.
pub(super) fn piece(envelope: Option<&Envelope>, records: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = records.to_le_bytes().to_vec();
    if let Some(envelope) = envelope {
        let head = json!([envelope.id, envelope.routing_key, envelope.metric, envelope.worker])
            .to_string();
        out.extend_from_slice(head.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(bytes);
    out
}

/// Where a handler's file is.
pub(super) fn path_of(directory: &Path, target: &str, name: &str) -> PathBuf {
    directory.join(format!("{target}-{name}{SUFFIX}"))
}

impl Store {
    /// A new file, in a directory that is made if it is not there.
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        if let Some(directory) = path.parent() {
            make_private(directory).map_err(|error| {
                format!("spool directory {} cannot be made: {error}", directory.display())
            })?;
        }
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(store) = Self::open(path, true)? {
                return Ok(store);
            }
            thread::sleep(LOCK_PAUSE);
        }
        Err(failed(path, &"somebody else has it locked"))
    }

    /// `None` if somebody else has the file.
    pub(super) fn open(path: &Path, create: bool) -> Result<Option<Self>, String> {
        let file = LockedFile::open(path, create).map_err(|error| failed(path, &error))?;
        let Some(file) = file else { return Ok(None) };
        // A file that is not what it should be may be anything, so nothing is taken for granted.
        let open = || Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file);
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(database)) => Ok(Some(Self { database, path: path.to_owned() })),
            Ok(Err(error)) => Err(failed(path, &error)),
            Err(_) => Err(failed(path, &"not a spool")),
        }
    }

    /// The files of `target` that processes left behind that are gone; those of the living
    /// are locked. `known` are not looked at.
    pub(super) fn adopt(directory: &Path, target: &str, known: &HashSet<PathBuf>) -> Found {
        let mut found = Found::default();
        let Ok(listed) = fs::read_dir(directory) else { return found };
        let mut paths: Vec<PathBuf> = listed
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| !known.contains(path) && is_of(path, target))
            .collect();
        // By time of the process' start, nearly.
        paths.sort();
        for path in paths {
            match Self::take_over(&path) {
                Ok(Some(adopted)) => found.adopted.push(adopted),
                Ok(None) => {}
                // Whoever had it was quicker.
                Err(_) if !path.exists() => {}
                Err(error) => found.refused.push((path, error)),
            }
        }
        found
    }

    fn take_over(path: &Path) -> Result<Option<(Self, Vec<Stored>)>, String> {
        let Some(store) = Self::open(path, false)? else { return Ok(None) };
        let list = catch_unwind(AssertUnwindSafe(|| store.list()));
        let stored =
            list.unwrap_or_else(|_| Err("not a spool".into())).map_err(|e| failed(path, &e))?;
        if stored.is_empty() {
            store.delete();
            return Ok(None);
        }
        Ok(Some((store, stored)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |data| data.len())
    }

    /// Writes `changes` in one transaction.
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), String> {
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

    fn list(&self) -> Result<Vec<Stored>, String> {
        let list = || -> Result<Vec<Stored>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = match transaction.open_table(MESSAGES) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                opened => opened?,
            };
            let mut stored: Vec<Stored> = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                add_piece(&mut stored, key.value(), value.value());
            }
            Ok(stored)
        };
        list().map_err(|error| error.to_string())
    }

    /// The body of a message.
    pub(super) fn load(&self, number: u64) -> Result<Option<Vec<u8>>, String> {
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
    pub(super) fn delete(self) {
        // While it is locked: nobody else can be reading it.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name for where messages go: broker, virtual host, exchange. Files outlive a version of
/// this library, hence nothing of whose making another could be.
pub(super) fn target_of(settings: &Settings) -> String {
    let port = settings.port.to_string();
    let parts = [&settings.host, &port, &settings.virtual_host, &settings.exchange];
    // FNV-1a.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
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

/// Puts a row to the message it belongs to; one that belongs to none is passed over.
fn add_piece(stored: &mut Vec<Stored>, (number, piece): (u64, u32), value: &[u8]) {
    let Some((records, bytes, envelope)) = read(piece, value) else { return };
    match (envelope, stored.last_mut()) {
        (Some(envelope), _) => {
            let envelope = Envelope { records, ..envelope };
            // The closing bracket is not on disk.
            stored.push(Stored { number, pieces: 1, envelope, body_bytes: bytes.len() + 1 });
        }
        (None, Some(last)) if last.number == number && last.pieces == piece => {
            last.pieces += 1;
            last.envelope.records += records;
            last.body_bytes += bytes.len();
        }
        _ => {}
    }
}

/// Records, bytes of the body and, of a first piece, the envelope.
fn read(piece: u32, value: &[u8]) -> Option<(u32, &[u8], Option<Envelope>)> {
    let (records, rest) = value.split_first_chunk::<4>()?;
    let records = u32::from_le_bytes(*records);
    if piece > 0 {
        return Some((records, rest, None));
    }
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let head: Vec<Value> = serde_json::from_slice(&rest[..end]).ok()?;
    let text = |index: usize| Some(head.get(index)?.as_str()?.into());
    let envelope = Envelope {
        id: text(0)?,
        routing_key: text(1)?,
        metric: text(2)?,
        worker: text(3)?,
        records,
    };
    Some((records, &rest[end + 1..], Some(envelope)))
}
