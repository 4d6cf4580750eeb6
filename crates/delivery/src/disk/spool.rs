//! The spool: the file of this process and those of dead ones.
//!
//! A message that the receiver does not confirm soon is written to this process's file, and
//! removed from it once it is confirmed. Writing, reading and looking for files of dead processes
//! are background tasks, none of which waits for another; the engine goes on meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::disk::spool_file::{
    Changes, Found, LOCKED_BY_ANOTHER, PIECE_BYTES, SpoolFile, StoredMessage, hash_of, path_of,
    piece,
};
use crate::messages::message::{Body, Message, Spooled};
use crate::settings::SpoolSettings;

/// The age at which a message is written: most are confirmed before. Records are 20 ms old when
/// they become a message, so a process that is killed loses the records of its last 50 ms.
pub(crate) const WRITE_AGE: Duration = Duration::from_millis(30);
/// After the disk failed, messages stay in memory only for this time.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// A file that has grown larger is removed when it is empty.
const MAX_EMPTY_BYTES: u64 = 16 * 1024 * 1024;

/// The number of this process's own file; adopted ones are numbered from 1.
const OWN: u32 = 0;

pub(crate) struct Spool {
    settings: SpoolSettings,
    target: String,
    /// The path of the own file.
    path: PathBuf,
    files: BTreeMap<u32, File>,
    next_file: u32,
    /// Bytes of all bodies.
    bytes: u64,
    writing: Option<Writing>,
    loading: Option<JoinHandle<Loaded>>,
    adopting: Option<JoinHandle<Found>>,
    next_adoption: Instant,
    /// Until then nothing is written.
    pause: Instant,
    /// Files that cannot be read.
    unreadable: HashSet<PathBuf>,
}

/// One spool file, open or not.
struct File {
    path: PathBuf,
    /// `None` before it is opened, and after it failed.
    opened: Option<Arc<SpoolFile>>,
    /// Messages in it.
    messages: u64,
    size_bytes: u64,
    changes: Changes,
}

struct Writing {
    file: u32,
    changes: Arc<Changes>,
    task: JoinHandle<Result<(Arc<SpoolFile>, u64), String>>,
}

type Loaded = Vec<(u64, Result<Vec<u8>, String>)>;

/// The end of one background task.
pub(crate) enum SpoolEvent {
    /// These pieces of this process's messages are on disk: sequence of the message, and piece.
    Written(Vec<(u64, u32)>),
    /// Bodies, by the sequence of their message.
    Loaded(Loaded),
    /// Messages of dead processes, and what is wrong with files that cannot be read.
    Adopted {
        messages: Vec<(Spooled, StoredMessage)>,
        unreadable: Vec<String>,
    },
    Failed(String),
}

impl File {
    fn new(path: PathBuf) -> Self {
        Self { path, opened: None, messages: 0, size_bytes: 0, changes: Changes::default() }
    }
}

impl Spool {
    /// `destination` is that of the [connector](crate::link::Connector::destination); `name`, for
    /// the own file, must be unique.
    pub(crate) fn new(settings: &SpoolSettings, destination: &str, name: &str) -> Self {
        let target = hash_of(destination);
        let now = Instant::now();
        Self {
            path: path_of(&settings.directory, &target, name),
            settings: settings.clone(),
            target,
            files: BTreeMap::new(),
            next_file: OWN + 1,
            bytes: 0,
            writing: None,
            loading: None,
            adopting: None,
            next_adoption: now,
            pause: now,
            unreadable: HashSet::new(),
        }
    }

    /// Has what is new of `message` written by the next [`Self::advance`] that can.
    pub(crate) fn put(&mut self, message: &mut Message) {
        let Body::Memory(body) = &message.body else { return };
        let own = self.files.entry(OWN).or_insert_with(|| File::new(self.path.clone()));
        let spooled = message.spooled.get_or_insert_with(|| {
            own.messages += 1;
            Spooled {
                file: OWN,
                number: message.sequence,
                pieces: 0,
                written: 0,
                bytes: 0,
                records: 0,
                counted: 0,
            }
        });
        let fresh = &body[spooled.bytes..body.len() - 1];
        let mut records = message.envelope.records - spooled.records;
        for bytes in fresh.chunks(PIECE_BYTES) {
            let envelope = (spooled.pieces == 0).then_some(&*message.envelope);
            let value = piece(envelope, std::mem::take(&mut records), bytes);
            own.changes.put.insert((spooled.number, spooled.pieces), value);
            spooled.pieces += 1;
        }
        self.bytes += fresh.len() as u64;
        spooled.bytes += fresh.len();
        spooled.records = message.envelope.records;
    }

    /// Removes a message that is confirmed or dropped.
    pub(crate) fn remove(&mut self, spooled: Spooled) {
        self.bytes = self.bytes.saturating_sub(spooled.bytes as u64);
        let Some(file) = self.files.get_mut(&spooled.file) else { return };
        file.messages = file.messages.saturating_sub(1);
        let cancelled = file.changes.cancel(spooled.number);
        if cancelled < spooled.pieces as usize {
            file.changes.remove.push((spooled.number, spooled.pieces));
        }
    }

    /// True if more is on disk than may be.
    pub(crate) fn is_over_full(&self) -> bool {
        self.bytes > self.settings.max_bytes
    }

    /// True while something is to be written, or is being written.
    pub(crate) fn is_behind(&self) -> bool {
        self.writing.is_some() || self.files.values().any(|file| !file.changes.is_empty())
    }

    /// After a failure: lets the next attempt begin at once.
    pub(crate) fn try_again(&mut self) {
        self.pause = Instant::now();
    }

    /// Starts the background tasks that are due.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.writing.is_none() && now >= self.pause {
            self.drop_empty();
            // The own file comes first.
            let next = self.files.iter().find(|(_, file)| !file.changes.is_empty());
            if let Some(id) = next.map(|(id, _)| *id) {
                self.write(id);
            }
        }
        if self.adopting.is_none() && now >= self.next_adoption {
            self.next_adoption = now + self.settings.adopt_interval;
            self.adopt();
        }
    }

    /// When [`Self::advance`] has something to start at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let adopt = self.adopting.is_none().then_some(self.next_adoption);
        let write = (self.writing.is_none() && self.is_behind()).then_some(self.pause);
        adopt.into_iter().chain(write).min()
    }

    fn adopt(&mut self) {
        let (directory, target) = (self.settings.directory.clone(), self.target.clone());
        let own = self.files.values().map(|file| file.path.clone());
        let known = own.chain(self.unreadable.iter().cloned()).collect();
        self.adopting = Some(spawn_blocking(move || SpoolFile::adopt(&directory, &target, &known)));
    }

    fn write(&mut self, id: u32) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let changes = Arc::new(std::mem::take(&mut file.changes));
        let task = {
            let (known, path) = (file.opened.clone(), file.path.clone());
            let changes = Arc::clone(&changes);
            spawn_blocking(move || {
                let opened = match known {
                    Some(opened) => opened,
                    None if id == OWN => Arc::new(SpoolFile::create(&path)?),
                    None => Arc::new(SpoolFile::open(&path, false)?.ok_or(LOCKED_BY_ANOTHER)?),
                };
                opened.apply(&changes)?;
                let size_bytes = opened.size_bytes();
                Ok((opened, size_bytes))
            })
        };
        self.writing = Some(Writing { file: id, changes, task });
    }

    /// Loads the bodies of messages that are on disk only, one batch at a time.
    pub(crate) fn load(&mut self, wanted: Vec<(u64, Spooled)>) {
        // A file that failed is opened anew, by one task at a time.
        let reopening = |(_, spooled): &(u64, Spooled)| {
            self.files.get(&spooled.file).is_some_and(|file| file.opened.is_none())
        };
        let busy = self.writing.is_some() && wanted.iter().any(reopening);
        if self.loading.is_some() || busy || wanted.is_empty() {
            return;
        }
        let places: Vec<_> = wanted
            .into_iter()
            .map(|(sequence, spooled)| {
                let file = self.files.get(&spooled.file);
                let file = file.map(|file| (file.opened.clone(), file.path.clone()));
                (sequence, spooled.number, file)
            })
            .collect();
        self.loading = Some(spawn_blocking(move || {
            let load = |(sequence, number, file)| (sequence, load_from(file, number));
            places.into_iter().map(load).collect()
        }));
    }

    /// The next end of a background task; waits for ever if none is running.
    pub(crate) async fn event(&mut self) -> SpoolEvent {
        tokio::select! {
            biased;
            written = written(&mut self.writing) => self.written(written),
            loaded = joined(&mut self.loading) => loaded.map_or_else(SpoolEvent::Failed, SpoolEvent::Loaded),
            found = joined(&mut self.adopting) => {
                found.map_or_else(SpoolEvent::Failed, |found| self.adopted(found))
            }
        }
    }

    fn written(&mut self, result: Result<(Arc<SpoolFile>, u64), String>) -> SpoolEvent {
        let Some(Writing { file: id, changes, .. }) = self.writing.take() else {
            return SpoolEvent::Written(Vec::new());
        };
        let Some(file) = self.files.get_mut(&id) else {
            return SpoolEvent::Written(Vec::new());
        };
        match result {
            Ok((opened, size_bytes)) => {
                file.opened = Some(opened);
                file.size_bytes = size_bytes;
                let pieces = if id == OWN { changes.put.keys().copied().collect() } else { vec![] };
                SpoolEvent::Written(pieces)
            }
            Err(error) => {
                // A database that failed once works again only when it is opened anew.
                file.opened = None;
                let later = std::mem::take(&mut file.changes);
                file.changes = Arc::into_inner(changes).unwrap_or_default();
                file.changes.extend(later);
                self.pause = Instant::now() + RETRY_PAUSE;
                SpoolEvent::Failed(error)
            }
        }
    }

    fn adopted(&mut self, found: Found) -> SpoolEvent {
        let mut adopted = Vec::new();
        for (opened, messages) in found.adopted {
            let id = self.next_file;
            self.next_file += 1;
            let mut file = File::new(opened.path().to_owned());
            file.messages = messages.len() as u64;
            file.opened = Some(Arc::new(opened));
            self.files.insert(id, file);
            for stored in messages {
                let spooled = Spooled {
                    file: id,
                    number: stored.number,
                    pieces: stored.pieces,
                    written: stored.pieces,
                    bytes: stored.body_bytes - 1,
                    records: stored.envelope.records,
                    counted: stored.envelope.records,
                };
                self.bytes += spooled.bytes as u64;
                adopted.push((spooled, stored));
            }
        }
        let mut unreadable = Vec::new();
        for (path, error) in found.unreadable {
            self.unreadable.insert(path);
            unreadable.push(error);
        }
        SpoolEvent::Adopted { messages: adopted, unreadable }
    }

    /// Removes the empty files. The own one stays while it is small: making it anew at every short
    /// outage would cost more.
    fn drop_empty(&mut self) {
        if self.loading.is_some() {
            return;
        }
        let unused = |id: u32, file: &File| {
            let drop_own = file.changes.put.is_empty() && file.size_bytes > MAX_EMPTY_BYTES;
            file.messages == 0 && (id != OWN || drop_own)
        };
        for file in self.take_files(unused) {
            spawn_blocking(move || delete(file));
        }
    }

    /// Removes the empty files, the own one too.
    pub(crate) fn finish(mut self) {
        self.take_files(|_, file| file.messages == 0).into_iter().for_each(delete);
    }

    fn take_files(&mut self, wanted: impl Fn(u32, &File) -> bool) -> Vec<File> {
        let ids = self.files.iter().filter(|(id, file)| wanted(**id, file)).map(|(id, _)| *id);
        let ids: Vec<u32> = ids.collect();
        ids.iter().filter_map(|id| self.files.remove(id)).collect()
    }
}

fn delete(file: File) {
    let opened = match file.opened {
        None => SpoolFile::open(&file.path, false).ok().flatten(),
        Some(opened) => Arc::into_inner(opened),
    };
    if let Some(opened) = opened {
        opened.delete();
    }
}

/// The body of message `number` of a file, which is given as opened or by its path.
fn load_from(
    file: Option<(Option<Arc<SpoolFile>>, PathBuf)>,
    number: u64,
) -> Result<Vec<u8>, String> {
    let loaded = match file.ok_or("the spool file is gone")? {
        (Some(opened), _) => opened.load(number)?,
        (None, path) => SpoolFile::open(&path, false)?.ok_or(LOCKED_BY_ANOTHER)?.load(number)?,
    };
    loaded.ok_or_else(|| "the message is gone".to_owned())
}

async fn written(writing: &mut Option<Writing>) -> Result<(Arc<SpoolFile>, u64), String> {
    match writing {
        None => std::future::pending().await,
        Some(writing) => (&mut writing.task).await.map_err(|error| error.to_string())?,
    }
}

async fn joined<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, String> {
    let Some(running) = task else { return std::future::pending().await };
    let result = running.await.map_err(|error| error.to_string());
    *task = None;
    result
}
