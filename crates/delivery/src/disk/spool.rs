//! The spool: the files of this process and those of dead ones.
//!
//! A message that the receiver does not confirm soon is written to a file of this process, and
//! removed from it once it is confirmed. Writing, reading and looking for files of dead processes
//! are background tasks, none of which waits for another; the engine goes on meanwhile.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::disk::adopt::{Found, Search};
use crate::disk::entry::{Piece, entry_bytes, split_records};
use crate::disk::scan::Live;
use crate::disk::spool_file::{Changes, Presence, SpoolFile, hash_of, path_of};
use crate::link::envelope::Envelope;
use crate::messages::message::{Body, Message, Spooled};
use crate::process::thread::spawn_blocking;
use crate::settings::SpoolSettings;

/// The age at which a message is written: most are confirmed before. Records are 20 ms old when
/// they become a message, so a process that is killed loses the records of its last 50 ms.
pub(crate) const WRITE_AGE: Duration = Duration::from_millis(30);
/// After the disk failed, messages stay in memory only for this time.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// A disk that has not answered for this time is told of.
const STALL: Duration = Duration::from_secs(5);
/// A file of this process that has grown larger is removed when it is empty.
const MAX_EMPTY_BYTES: u64 = 4 * 1024 * 1024;
/// How many files of this process there may be. What was confirmed is given back to the disk file
/// by file, since entries are only appended.
const OWN_FILES: u64 = 8;
/// A file is not too small to be worth it.
const LEAST_FILE_BYTES: u64 = 1024 * 1024;
/// How many files of dead processes are open at a time.
const ADOPTED_FILES: usize = 8;
/// How many complaints are remembered.
const MAX_TOLD: usize = 1000;

pub(crate) struct Spool {
    settings: SpoolSettings,
    target: String,
    name: String,
    files: BTreeMap<u32, File>,
    /// The file that new messages go to.
    current: u32,
    next_file: u32,
    /// Bytes of the files that are this process's own, without what is gone.
    bytes: u64,
    writing: Option<Task<Result<Written, String>>>,
    /// What is being written.
    written: (u32, Arc<Changes>),
    loading: Option<Task<Loaded>>,
    adopting: Option<Task<Seen>>,
    /// Files of dead processes that were seen and not looked at.
    candidates: VecDeque<PathBuf>,
    next_adoption: Instant,
    /// Until then nothing is written.
    pause: Instant,
    /// What was told already of files that could not be looked at.
    told: HashSet<String>,
    /// Files that are not where they belong.
    missing: HashSet<u32>,
    /// Files that were removed and made again, not told yet.
    restored: HashSet<u32>,
    /// Files that are empty and being removed.
    deleting: Vec<JoinHandle<()>>,
}

/// One spool file, open or not.
struct File {
    path: PathBuf,
    own: bool,
    /// `None` before it is made.
    opened: Option<Arc<SpoolFile>>,
    /// Messages in it.
    messages: u64,
    size_bytes: u64,
    changes: Changes,
}

/// Work of the disk.
struct Task<T> {
    handle: JoinHandle<T>,
    since: Instant,
}

/// Whether the file had been removed, its size, and the file.
type Written = (Presence, u64, Arc<SpoolFile>);
type Loaded = Vec<(u64, Result<Vec<u8>, String>)>;
/// What a search found, and whether the open files are where they belong.
type Seen = (Found, Vec<(u32, Presence)>);

/// The end of one background task.
pub(crate) enum SpoolEvent {
    /// These pieces of this process's messages are on disk: sequence of the message, piece, and
    /// its records.
    Written(Vec<(u64, u32, u32)>),
    /// Bodies, by the sequence of their message.
    Loaded(Loaded),
    Adopted(Adopted),
    Failed(String),
}

/// Messages of dead processes.
#[derive(Default)]
pub(crate) struct Adopted {
    pub(crate) messages: Vec<(Spooled, Envelope, usize)>,
    /// Records that cannot be read.
    pub(crate) lost: u64,
    /// What is to be told of damaged and of removed files.
    pub(crate) told: Vec<String>,
    /// What could not be looked at, and why; told for the first time.
    pub(crate) refused: Vec<String>,
    /// Files whose messages are no longer on disk, or are again.
    pub(crate) presence: Vec<(u32, bool)>,
}

impl File {
    fn new(path: PathBuf, own: bool) -> Self {
        let changes = Changes::default();
        Self { path, own, opened: None, messages: 0, size_bytes: 0, changes }
    }
}

impl<T: Send + 'static> Task<T> {
    fn start(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self { handle: spawn_blocking(work), since: Instant::now() }
    }
}

impl Spool {
    /// `destination` is that of the [connector](crate::link::Connector::destination); `name`, for
    /// files of this process, must be unique.
    pub(crate) fn new(settings: &SpoolSettings, destination: &str, name: &str) -> Self {
        let now = Instant::now();
        Self {
            settings: settings.clone(),
            target: hash_of(destination),
            name: name.to_owned(),
            files: BTreeMap::new(),
            current: 0,
            next_file: 1,
            bytes: 0,
            writing: None,
            written: (0, Arc::default()),
            loading: None,
            adopting: None,
            candidates: VecDeque::new(),
            next_adoption: now,
            pause: now,
            told: HashSet::new(),
            missing: HashSet::new(),
            restored: HashSet::new(),
            deleting: Vec::new(),
        }
    }

    /// Has what is new of `message` written by the next [`Self::advance`] that can.
    pub(crate) fn put(&mut self, message: &mut Message) {
        let Body::Memory(body) = &message.body else { return };
        let id = message.spooled.map_or_else(|| self.file_for_new(), |spooled| spooled.file);
        let Some(file) = self.files.get_mut(&id) else { return };
        let spooled = message.spooled.get_or_insert_with(|| {
            file.messages += 1;
            Spooled { file: id, number: message.sequence, ..Spooled::default() }
        });
        let fresh = &body[spooled.bytes..body.len() - 1];
        let mut left = message.envelope.records - spooled.records;
        let mut parts = split_records(fresh).into_iter().peekable();
        while let Some((bytes, records)) = parts.next() {
            let records = if parts.peek().is_some() { records.min(left) } else { left };
            left -= records;
            let envelope = Arc::clone(&message.envelope);
            let piece = Piece { envelope, records, bytes: bytes.to_vec() };
            let size = entry_bytes(&piece);
            spooled.file_bytes += size;
            self.bytes += size;
            file.changes.put.insert((spooled.number, spooled.pieces), piece);
            spooled.pieces += 1;
        }
        spooled.bytes += fresh.len();
        spooled.records = message.envelope.records;
    }

    /// The file that the next message goes to.
    fn file_for_new(&mut self) -> u32 {
        let enough = (self.settings.max_bytes / OWN_FILES).max(LEAST_FILE_BYTES);
        let current = self.files.get(&self.current);
        if current.is_none_or(|file| file.size_bytes >= enough) {
            let id = self.new_id();
            self.current = id;
            let name = format!("{}-{id}", self.name);
            let path = path_of(&self.settings.directory, &self.target, &name);
            self.files.insert(id, File::new(path, true));
        }
        self.current
    }

    fn new_id(&mut self) -> u32 {
        let id = self.next_file;
        self.next_file += 1;
        id
    }

    /// Removes a message that is confirmed or dropped.
    pub(crate) fn remove(&mut self, spooled: Spooled) {
        let Some(file) = self.files.get_mut(&spooled.file) else { return };
        if file.own {
            self.bytes = self.bytes.saturating_sub(spooled.file_bytes);
        }
        file.messages = file.messages.saturating_sub(1);
        let cancelled = file.changes.cancel(spooled.number);
        if cancelled < spooled.pieces as usize {
            file.changes.remove.push(spooled.number);
        }
    }

    /// True if this process has more on disk than may be. What others left does not count.
    pub(crate) fn is_over_full(&self) -> bool {
        self.bytes > self.settings.max_bytes
    }

    /// True for messages of this process, not of a dead one.
    pub(crate) fn is_own(&self, spooled: Spooled) -> bool {
        self.files.get(&spooled.file).is_some_and(|file| file.own)
    }

    /// True if the file of a message is gone from the disk: its records outlive this process not.
    pub(crate) fn is_missing(&self, spooled: Spooled) -> bool {
        self.missing.contains(&spooled.file)
    }

    /// True while something is to be written, or is being written.
    pub(crate) fn is_behind(&self) -> bool {
        self.writing.is_some() || self.files.values().any(|file| !file.changes.is_empty())
    }

    /// True while files of dead processes are looked for, or more of them are known.
    pub(crate) fn is_adopting(&self) -> bool {
        self.adopting.is_some() || !self.candidates.is_empty()
    }

    /// After a failure: lets the next attempt begin at once.
    pub(crate) fn try_again(&mut self) {
        self.pause = Instant::now();
    }

    /// What is to be told of a disk that does not answer.
    pub(crate) fn stalled(&self, now: Instant) -> Option<String> {
        let stalled = self.started().any(|since| since + STALL <= now);
        let directory = self.settings.directory.display();
        // Without a thread to do it, work waits as well.
        stalled.then(|| {
            format!("spool directory {directory}: the disk does not answer, or no thread is left")
        })
    }

    /// Since when the background tasks run.
    fn started(&self) -> impl Iterator<Item = Instant> {
        let writing = self.writing.as_ref().map(|task| task.since);
        let loading = self.loading.as_ref().map(|task| task.since);
        let adopting = self.adopting.as_ref().map(|task| task.since);
        [writing, loading, adopting].into_iter().flatten()
    }

    /// Starts the background tasks that are due.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.writing.is_none() && now >= self.pause {
            self.drop_empty();
            let pending = || self.files.iter().filter(|(_, file)| !file.changes.is_empty());
            // What this process records comes first.
            let next = pending().find(|(_, file)| file.own).or_else(|| pending().next());
            if let Some(id) = next.map(|(id, _)| *id) {
                self.write(id);
            }
        }
        let may_adopt = !self.candidates.is_empty() && self.room_for_adopted() > 0;
        if self.adopting.is_none() && (now >= self.next_adoption || may_adopt) {
            if now >= self.next_adoption {
                self.next_adoption = now + self.settings.adopt_interval;
            }
            self.adopt();
        }
    }

    /// When [`Self::advance`] has something to start at the latest, or [`Self::stalled`] something
    /// to tell.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let adopt = self.adopting.is_none().then_some(self.next_adoption);
        let write = (self.writing.is_none() && self.is_behind()).then_some(self.pause);
        let stalls = self.started().map(|since| since + STALL).filter(|at| *at > now).min();
        adopt.into_iter().chain(write).chain(stalls).min()
    }

    /// How many more files of dead processes may be open.
    fn room_for_adopted(&self) -> usize {
        ADOPTED_FILES.saturating_sub(self.files.values().filter(|file| !file.own).count())
    }

    /// Has a search run that takes over nothing, or the one that runs already end: after that it
    /// is known which files are where they belong.
    pub(crate) fn look_at_files(&mut self) {
        if self.adopting.is_none() {
            self.start_search(0);
        }
    }

    fn adopt(&mut self) {
        self.start_search(self.room_for_adopted());
    }

    /// Looks for files of dead processes, and whether the open ones are where they belong.
    fn start_search(&mut self, limit: usize) {
        let search = Search {
            directory: self.settings.directory.clone(),
            target: self.target.clone(),
            known: self.files.values().map(|file| file.path.clone()).collect(),
            candidates: std::mem::take(&mut self.candidates),
            limit,
        };
        let open = self.files.iter().filter_map(|(id, file)| Some((*id, file.opened.clone()?)));
        let open: Vec<_> = open.collect();
        self.adopting = Some(Task::start(move || {
            let watched = open.into_iter().map(|(id, file)| (id, file.watch())).collect();
            (search.run(), watched)
        }));
    }

    fn write(&mut self, id: u32) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let changes = Arc::new(std::mem::take(&mut file.changes));
        self.written = (id, Arc::clone(&changes));
        let (known, path) = (file.opened.clone(), file.path.clone());
        self.writing = Some(Task::start(move || {
            let opened = match known {
                Some(opened) => opened,
                None => Arc::new(SpoolFile::create(&path)?),
            };
            let (presence, size) = opened.apply(&changes)?;
            Ok((presence, size, opened))
        }));
    }

    /// Loads the bodies of messages that are on disk only, one batch at a time.
    pub(crate) fn load(&mut self, wanted: Vec<(u64, Spooled)>) {
        if self.loading.is_some() || wanted.is_empty() {
            return;
        }
        let mut by_file: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
        for (sequence, spooled) in wanted {
            by_file.entry(spooled.file).or_default().push((sequence, spooled.number));
        }
        let opened = |id| self.files.get(&id).and_then(|file| file.opened.clone());
        let work: Vec<_> = by_file.into_iter().map(|(id, wanted)| (opened(id), wanted)).collect();
        self.loading = Some(Task::start(move || {
            work.into_iter()
                .flat_map(|(file, wanted)| load_from(file.as_deref(), &wanted))
                .collect()
        }));
    }

    /// The next end of a background task; waits for ever if none is running.
    pub(crate) async fn event(&mut self) -> SpoolEvent {
        tokio::select! {
            biased;
            written = joined(&mut self.writing) => self.written(written.and_then(|done| done)),
            loaded = joined(&mut self.loading) => {
                loaded.map_or_else(SpoolEvent::Failed, SpoolEvent::Loaded)
            }
            found = joined(&mut self.adopting) => match found {
                Ok((found, watched)) => SpoolEvent::Adopted(self.adopted(found, watched)),
                Err(error) => SpoolEvent::Failed(error),
            }
        }
    }

    fn written(&mut self, result: Result<Written, String>) -> SpoolEvent {
        let (id, changes) = std::mem::take(&mut self.written);
        let Some(file) = self.files.get_mut(&id) else {
            return SpoolEvent::Written(Vec::new());
        };
        match result {
            Ok((presence, size_bytes, opened)) => {
                file.opened = Some(opened);
                file.size_bytes = size_bytes;
                if presence == Presence::Restored {
                    self.restored.insert(id);
                    // Told when the files are looked at, which is at once.
                    self.next_adoption = Instant::now();
                }
                let put = changes.put.iter().filter(|_| file.own);
                let written = put.map(|((number, place), piece)| (*number, *place, piece.records));
                SpoolEvent::Written(written.collect())
            }
            Err(error) => {
                let later = std::mem::take(&mut file.changes);
                file.changes = Arc::into_inner(changes).unwrap_or_default();
                file.changes.extend(later);
                let now = Instant::now();
                self.pause = now + RETRY_PAUSE;
                // The files may be gone.
                self.next_adoption = now;
                SpoolEvent::Failed(error)
            }
        }
    }

    fn adopted(&mut self, found: Found, watched: Vec<(u32, Presence)>) -> Adopted {
        let mut adopted = Adopted { lost: found.lost, told: found.damaged, ..Adopted::default() };
        self.candidates = found.candidates;
        for (opened, messages) in found.adopted {
            let id = self.new_id();
            let mut file = File::new(opened.path().to_owned(), false);
            file.messages = messages.len() as u64;
            file.opened = Some(Arc::new(opened));
            self.files.insert(id, file);
            for (number, live) in messages {
                let Live { envelope, pieces, bytes, first, end } = live;
                let records = envelope.records;
                let spooled = Spooled {
                    file: id,
                    number,
                    pieces,
                    written: pieces,
                    written_records: records,
                    bytes,
                    records,
                    counted: records,
                    file_bytes: end - first,
                };
                adopted.messages.push((spooled, envelope, bytes + 1));
            }
        }
        // What was refused is told once, and tried again.
        let refused: Vec<String> = found.refused.into_values().collect();
        let fresh = refused.iter().filter(|text| !self.told.contains(*text));
        adopted.refused.extend(fresh.cloned());
        if self.told.len() > MAX_TOLD {
            self.told.clear();
        }
        self.told.extend(refused);
        for (id, presence) in watched {
            self.watched(id, presence, &mut adopted);
        }
        adopted
    }

    fn watched(&mut self, id: u32, presence: Presence, adopted: &mut Adopted) {
        if !self.files.contains_key(&id) {
            return;
        }
        if let Presence::Missing(error) = presence {
            if self.missing.insert(id) {
                adopted.told.push(error);
                adopted.presence.push((id, false));
            }
            return;
        }
        if self.restored.remove(&id) || presence == Presence::Restored {
            let path = self.files[&id].path.display().to_string();
            adopted.told.push(format!("spool {path} was removed while in use; it was made again"));
        }
        if self.missing.remove(&id) {
            adopted.presence.push((id, true));
        }
    }

    /// Notes that a message of this file could not be read.
    pub(crate) fn note_damage(&self, spooled: Spooled) {
        let file = self.files.get(&spooled.file).and_then(|file| file.opened.as_ref());
        if let Some(file) = file {
            file.note_damage();
        }
    }

    /// Removes the empty files. The current one stays while it is small: making it anew at every
    /// short outage would cost more.
    fn drop_empty(&mut self) {
        if self.loading.is_some() {
            return;
        }
        let current = self.current;
        let unused = |id: u32, file: &File| {
            let drop_current = file.changes.put.is_empty() && file.size_bytes > MAX_EMPTY_BYTES;
            file.messages == 0 && (id != current || drop_current)
        };
        self.deleting.retain(|deleting| !deleting.is_finished());
        for file in self.take_files(unused) {
            self.deleting.push(spawn_blocking(move || delete(&file)));
        }
    }

    /// Removes the empty files, the current one too.
    pub(crate) async fn finish(mut self) {
        let empty = self.take_files(|_, file| file.messages == 0);
        self.deleting.push(spawn_blocking(move || empty.iter().for_each(delete)));
        for deleting in self.deleting {
            let _ = deleting.await;
        }
    }

    fn take_files(&mut self, wanted: impl Fn(u32, &File) -> bool) -> Vec<File> {
        let ids = self.files.iter().filter(|(id, file)| wanted(**id, file)).map(|(id, _)| *id);
        let ids: Vec<u32> = ids.collect();
        self.missing.retain(|id| !ids.contains(id));
        ids.iter().filter_map(|id| self.files.remove(id)).collect()
    }
}

fn delete(file: &File) {
    if let Some(opened) = &file.opened {
        opened.delete();
    }
}

/// Bodies of messages of one file: for each sequence and number in the file, the body by sequence.
fn load_from(file: Option<&SpoolFile>, wanted: &[(u64, u64)]) -> Loaded {
    let numbers: HashSet<u64> = wanted.iter().map(|(_, number)| *number).collect();
    let bodies = file.ok_or_else(|| "the spool file is gone".into()).and_then(|f| f.load(&numbers));
    let path = file.map_or_else(String::new, |file| file.path().display().to_string());
    match bodies {
        Err(error) => wanted.iter().map(|(sequence, _)| (*sequence, Err(error.clone()))).collect(),
        Ok(mut bodies) => wanted
            .iter()
            .map(|(sequence, number)| {
                let body = bodies.remove(number);
                (*sequence, body.ok_or_else(|| format!("spool {path}: a message cannot be read")))
            })
            .collect(),
    }
}

async fn joined<T>(task: &mut Option<Task<T>>) -> Result<T, String> {
    let Some(running) = task else { return std::future::pending().await };
    let result = (&mut running.handle).await.map_err(|error| error.to_string());
    *task = None;
    result
}
