//! One spool file: messages on disk, in a store that one process holds locked.
//!
//! A file is named for where its messages go, so that only a handler with the same
//! destination adopts it. It holds no credentials.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{Value, json};

use super::message::Envelope;
use super::settings::Settings;

const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
const SUFFIX: &str = "phanos-spool";
/// redb would take up to a gigabyte.
const CACHE_BYTES: usize = 1024 * 1024;

pub(super) struct Store {
    database: Database,
    path: PathBuf,
}

/// What a file holds of one message, but for its body.
pub(super) struct Stored {
    pub(super) number: u64,
    pub(super) envelope: Envelope,
    pub(super) body_bytes: u32,
}

/// Changes that belong together.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) put: Vec<(u64, Arc<Envelope>, Arc<[u8]>)>,
    pub(super) remove: Vec<u64>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }
}

impl Store {
    /// A new file in `directory`, which is made if it is not there.
    pub(super) fn create(directory: &Path, target: &str, worker: &str) -> Result<Self, String> {
        make_private(directory).map_err(|error| {
            format!("spool directory {} cannot be made: {error}", directory.display())
        })?;
        let path = directory.join(format!("{target}-{worker}.{SUFFIX}"));
        let database = open(&path).map_err(|error| failed(&path, &error))?;
        Ok(Self { database, path })
    }

    /// The files that processes left behind that are gone; those of the living are locked.
    pub(super) fn adopt(directory: &Path, target: &str, own: &str) -> Vec<(Self, Vec<Stored>)> {
        let Ok(listed) = fs::read_dir(directory) else { return Vec::new() };
        let mut adopted = Vec::new();
        for path in listed.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let ours = name.is_some_and(|name| {
                name.starts_with(&format!("{target}-"))
                    && name.ends_with(SUFFIX)
                    && !name.contains(own)
            });
            if !ours || !path.is_file() {
                continue;
            }
            let Ok(database) = open(&path) else { continue };
            let store = Self { database, path };
            match store.list() {
                Ok(stored) if stored.is_empty() => store.delete(),
                Ok(stored) => adopted.push((store, stored)),
                Err(_) => {}
            }
        }
        adopted
    }

    /// Writes `changes` in one transaction.
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), String> {
        self.write(changes).map_err(|error| failed(&self.path, &error))
    }

    fn write(&self, changes: &Changes) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(MESSAGES)?;
            for (number, envelope, body) in &changes.put {
                table.insert(number, &*written(envelope, body))?;
            }
            for number in &changes.remove {
                table.remove(number)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn list(&self) -> Result<Vec<Stored>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(MESSAGES) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut stored = Vec::new();
        for row in table.iter()? {
            let (number, value) = row?;
            if let Some((envelope, body)) = read(value.value()) {
                let body_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
                stored.push(Stored { number: number.value(), envelope, body_bytes });
            }
        }
        Ok(stored)
    }

    /// The body of a message.
    pub(super) fn load(&self, number: u64) -> Result<Option<Arc<[u8]>>, String> {
        let load = || -> Result<Option<Arc<[u8]>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(MESSAGES)?;
            let value = table.get(number)?;
            Ok(value.and_then(|value| read(value.value()).map(|(_, body)| body.into())))
        };
        load().map_err(|error| failed(&self.path, &error))
    }

    /// Removes the file; for a store that is empty.
    pub(super) fn delete(self) {
        // While it is locked: nobody else can be reading it.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name for where messages go: broker, virtual host, exchange.
pub(super) fn target_of(settings: &Settings) -> String {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let target = (&settings.host, settings.port, &settings.virtual_host, &settings.exchange);
    format!("{:016x}", hasher.hash_one(target))
}

fn open(path: &Path) -> Result<Database, DatabaseError> {
    Builder::new().set_cache_size(CACHE_BYTES).create(path)
}

fn failed(path: &Path, error: &dyn std::error::Error) -> String {
    format!("spool {}: {error}", path.display())
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.recursive(true).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A line of JSON with the envelope, then the body.
fn written(envelope: &Envelope, body: &[u8]) -> Vec<u8> {
    let head = json!([
        envelope.id,
        envelope.routing_key,
        envelope.metric,
        envelope.worker,
        envelope.records
    ]);
    let mut out = head.to_string().into_bytes();
    out.push(b'\n');
    out.extend_from_slice(body);
    out
}

fn read(value: &[u8]) -> Option<(Envelope, &[u8])> {
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = (&value[..end], &value[end + 1..]);
    let head: Vec<Value> = serde_json::from_slice(head).ok()?;
    let text = |index: usize| Some(head.get(index)?.as_str()?.into());
    let envelope = Envelope {
        id: text(0)?,
        routing_key: text(1)?,
        metric: text(2)?,
        worker: text(3)?,
        records: u32::try_from(head.get(4)?.as_u64()?).ok()?,
    };
    Some((envelope, body))
}
