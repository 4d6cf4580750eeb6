//! The store: series, and which messages were counted, changed in one transaction.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use phanos_delivery::Unshared;
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::aggregate::changes::{Changes, NamedRows, Stored};
use crate::private_file;

const SERIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("series");
const FAMILIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("families");
const WORKERS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("workers");
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");

/// The key in [`ABOUT`] under which the form of the rows is, and the form that is written here.
const FORM_KEY: &str = "form";
const FORM: u64 = 1;

const FILE_NAME: &str = "phanos-collector.redb";
/// redb's own default is a gigabyte.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// One directory, which one process has open.
pub struct Store {
    path: PathBuf,
    /// `None` after a failure, until the next attempt.
    database: Option<Database>,
    /// Of the file of the database.
    unshared: Option<Unshared>,
}

impl Store {
    /// Opens the store in `directory`, which is made if there is none, for its owner only; with
    /// what is in it.
    ///
    /// # Errors
    /// A sentence that names the file, and says why it cannot be used.
    pub fn open(directory: &Path) -> Result<(Self, Stored), String> {
        make_private(directory).map_err(|error| {
            format!("state directory {} cannot be made: {error}", directory.display())
        })?;
        let path = directory.join(FILE_NAME);
        let (database, unshared, stored) =
            open(&path).map_err(|error| format!("state {}: {error}", path.display()))?;
        Ok((Self { path, database: Some(database), unshared: Some(unshared) }, stored))
    }

    /// Writes `changes`, all or none. When it returns, they survive a power cut.
    ///
    /// # Errors
    /// A sentence that names the file. The changes can be written again.
    pub fn commit(&mut self, changes: &Changes) -> Result<(), String> {
        let written = catch_unwind(AssertUnwindSafe(|| self.write(changes)));
        let written = written.unwrap_or_else(|_| Err("cannot be written".into()));
        written.map_err(|error| {
            // After an error of the disk the database takes no more writes.
            self.database = None;
            format!("state {}: {error}", self.path.display())
        })
    }

    fn write(&mut self, changes: &Changes) -> Result<(), String> {
        if self.database.is_none() {
            let (database, unshared, _) = open(&self.path)?;
            (self.database, self.unshared) = (Some(database), Some(unshared));
        }
        let Some(database) = &self.database else { return Ok(()) };
        write(database, changes).map_err(|error| error.to_string())
    }

    pub fn size_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |data| data.len())
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(directory)
}

fn open(path: &Path) -> Result<(Database, Unshared, Stored), String> {
    let (file, unshared) = private_file::open(path).map_err(|error| error.to_string())?;
    // redb panics on some files that are no database.
    let open = || {
        let database = FileBackend::new(file)
            .and_then(|file| Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file));
        let database = database.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => "another process has it open".into(),
            other => other.to_string(),
        })?;
        let stored = load(&database)?;
        Ok((database, stored))
    };
    let opened = catch_unwind(AssertUnwindSafe(open));
    let opened = opened.unwrap_or_else(|_| Err("not a collector's state".into()));
    opened.map(|(database, stored)| (database, unshared, stored))
}

fn load(database: &Database) -> Result<Stored, String> {
    let form = read_form(database).map_err(|error| error.to_string())?;
    match form {
        None => return Ok(Stored::default()),
        Some(FORM) => {}
        Some(other) => return Err(format!("written by another version (form {other})")),
    }
    read(database).map_err(|error| error.to_string())
}

fn read_form(database: &Database) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(ABOUT) {
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        opened => Ok(opened?.get(FORM_KEY)?.map(|form| form.value())),
    }
}

fn read(database: &Database) -> Result<Stored, redb::Error> {
    let transaction = database.begin_read()?;
    let mut stored = Stored::default();
    for row in transaction.open_table(SERIES)?.iter()? {
        let (id, bytes) = row?;
        stored.series.push((id.value(), bytes.value().to_vec()));
    }
    let named = |table| -> Result<NamedRows, redb::Error> {
        let mut rows = Vec::new();
        for row in transaction.open_table::<&str, &[u8]>(table)?.iter()? {
            let (name, bytes) = row?;
            rows.push((name.value().into(), bytes.value().to_vec()));
        }
        Ok(rows)
    };
    stored.families = named(FAMILIES)?;
    stored.workers = named(WORKERS)?;
    Ok(stored)
}

fn write(database: &Database, changes: &Changes) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        transaction.open_table(ABOUT)?.insert(FORM_KEY, FORM)?;
        let mut series = transaction.open_table(SERIES)?;
        for id in changes.removed_series() {
            series.remove(id)?;
        }
        for (id, bytes) in changes.series() {
            series.insert(id, bytes)?;
        }
        let mut families = transaction.open_table(FAMILIES)?;
        for (name, bytes) in changes.families() {
            families.insert(&**name, &**bytes)?;
        }
        let mut workers = transaction.open_table(WORKERS)?;
        for name in changes.forgotten_workers() {
            workers.remove(&**name)?;
        }
        for (name, bytes) in changes.workers() {
            workers.insert(&**name, &**bytes)?;
        }
    }
    transaction.commit()?;
    Ok(())
}
