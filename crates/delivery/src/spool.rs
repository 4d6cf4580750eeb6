//! Messages on disk, for outages longer than memory and for processes that die.
//!
//! A message that the broker has not confirmed soon is written to this process's store and
//! removed when it has been. Everything here that touches the disk runs apart from the
//! network side, which goes on meanwhile: writing, reading, and looking for files of dead
//! processes, none of which waits for another.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_blocking};

use super::message::{Body, Message, Spooled};
use super::settings::{Settings, SpoolSettings};
use super::store::{Changes, Found, PIECE_BYTES, Store, Stored, path_of, piece, target_of};

/// A message younger than this has good chances to be confirmed in time. Records are 20 ms
/// old when they become a message; with a write after this a process that is killed loses
/// 50 ms.
pub(super) const GRACE: Duration = Duration::from_millis(30);
/// After the disk failed, memory has to do for so long.
const PAUSE: Duration = Duration::from_secs(5);
/// A file that has grown larger is not kept when nothing is in it.
const KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// This process's own store; adopted ones count from 1.
const OWN: u32 = 0;

pub(super) struct Spool {
    settings: SpoolSettings,
    target: String,
    /// Of the own file.
    path: PathBuf,
    slots: BTreeMap<u32, Slot>,
    next_store: u32,
    /// Of all bodies.
    bytes: u64,
    writing: Option<Writing>,
    loading: Option<JoinHandle<Loaded>>,
    looking: Option<JoinHandle<Found>>,
    next_look: Instant,
    /// Nothing is written before.
    pause: Instant,
    /// Files that cannot be read.
    refused: HashSet<PathBuf>,
}

/// One file.
struct Slot {
    path: PathBuf,
    /// Not yet, or not for the time being.
    store: Option<Arc<Store>>,
    /// Messages in it.
    held: u64,
    /// Bytes of the file.
    size: u64,
    changes: Changes,
}

struct Writing {
    slot: u32,
    changes: Arc<Changes>,
    task: JoinHandle<Result<(Arc<Store>, u64), String>>,
}

type Loaded = Vec<(u64, Result<Vec<u8>, String>)>;

/// What came of work on the disk.
pub(super) enum Done {
    /// These pieces of messages of this process are on disk: sequence and piece.
    Written(Vec<(u64, u32)>),
    /// Bodies, by the sequence of their message.
    Loaded(Loaded),
    /// Messages of processes that are gone, and what is wrong with other files.
    Looked {
        adopted: Vec<(Spooled, Stored)>,
        refused: Vec<String>,
    },
    Failed(String),
}

impl Slot {
    fn new(path: PathBuf) -> Self {
        Self { path, store: None, held: 0, size: 0, changes: Changes::default() }
    }
}

impl Spool {
    /// `name` is that of the own file, and nobody else's.
    pub(super) fn new(settings: &Settings, spool: &SpoolSettings, name: &str) -> Self {
        let target = target_of(settings);
        let now = Instant::now();
        Self {
            path: path_of(&spool.directory, &target, name),
            settings: spool.clone(),
            target,
            slots: BTreeMap::new(),
            next_store: OWN + 1,
            bytes: 0,
            writing: None,
            loading: None,
            looking: None,
            next_look: now,
            pause: now,
            refused: HashSet::new(),
        }
    }

    /// Has what is new of `message` written at the next opportunity.
    pub(super) fn put(&mut self, message: &mut Message) {
        let Body::Memory(body) = &message.body else { return };
        let own = self.slots.entry(OWN).or_insert_with(|| Slot::new(self.path.clone()));
        let spooled = message.spooled.get_or_insert_with(|| {
            own.held += 1;
            Spooled {
                store: OWN,
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

    /// Forgets a message that needs the disk no longer.
    pub(super) fn remove(&mut self, spooled: Spooled) {
        self.bytes = self.bytes.saturating_sub(spooled.bytes as u64);
        let Some(slot) = self.slots.get_mut(&spooled.store) else { return };
        slot.held = slot.held.saturating_sub(1);
        let cancelled = slot.changes.cancel(spooled.number);
        if cancelled < spooled.pieces as usize {
            slot.changes.remove.push((spooled.number, spooled.pieces));
        }
    }

    /// True if more is on disk than may be.
    pub(super) fn is_over_full(&self) -> bool {
        self.bytes > self.settings.max_bytes
    }

    /// True while something is to be written, or is being written.
    pub(super) fn is_behind(&self) -> bool {
        self.writing.is_some() || self.slots.values().any(|slot| !slot.changes.is_empty())
    }

    /// After a failure: waits no longer before the next attempt.
    pub(super) fn try_again(&mut self) {
        self.pause = Instant::now();
    }

    /// Starts whatever the disk should do next.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.writing.is_none() && now >= self.pause {
            self.drop_empty();
            // The own one first.
            let next = self.slots.iter().find(|(_, slot)| !slot.changes.is_empty());
            if let Some(id) = next.map(|(id, _)| *id) {
                self.write(id);
            }
        }
        if self.looking.is_none() && now >= self.next_look {
            self.next_look = now + self.settings.adopt_every;
            self.look();
        }
    }

    /// When there is something to do that nothing else tells of.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let look = self.looking.is_none().then_some(self.next_look);
        let write = (self.writing.is_none() && self.is_behind()).then_some(self.pause);
        look.into_iter().chain(write).min()
    }

    fn look(&mut self) {
        let (directory, target) = (self.settings.directory.clone(), self.target.clone());
        let own = self.slots.values().map(|slot| slot.path.clone());
        let known = own.chain(self.refused.iter().cloned()).collect();
        self.looking = Some(spawn_blocking(move || Store::adopt(&directory, &target, &known)));
    }

    fn write(&mut self, id: u32) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let changes = Arc::new(std::mem::take(&mut slot.changes));
        let task = {
            let (known, path) = (slot.store.clone(), slot.path.clone());
            let changes = Arc::clone(&changes);
            spawn_blocking(move || {
                let store = match known {
                    Some(store) => store,
                    None if id == OWN => Arc::new(Store::create(&path)?),
                    None => Arc::new(Store::open(&path, false)?.ok_or("somebody else has it")?),
                };
                store.apply(&changes)?;
                let size = store.size();
                Ok((store, size))
            })
        };
        self.writing = Some(Writing { slot: id, changes, task });
    }

    /// Loads the bodies of messages that are on disk only, one batch at a time.
    pub(super) fn load(&mut self, wanted: Vec<(u64, Spooled)>) {
        // A file that failed is opened anew, by one at a time.
        let reopening = |(_, spooled): &(u64, Spooled)| {
            self.slots.get(&spooled.store).is_some_and(|slot| slot.store.is_none())
        };
        let busy = self.writing.is_some() && wanted.iter().any(reopening);
        if self.loading.is_some() || busy || wanted.is_empty() {
            return;
        }
        let stores: Vec<_> = wanted
            .into_iter()
            .map(|(sequence, spooled)| {
                let slot = self.slots.get(&spooled.store);
                let store = slot.map(|slot| (slot.store.clone(), slot.path.clone()));
                (sequence, spooled.number, store)
            })
            .collect();
        self.loading = Some(spawn_blocking(move || {
            let load = |(sequence, number, store)| (sequence, load_from(store, number));
            stores.into_iter().map(load).collect()
        }));
    }

    /// What came of the work under way; waits for ever if there is none.
    pub(super) async fn done(&mut self) -> Done {
        tokio::select! {
            biased;
            written = written(&mut self.writing) => self.written(written),
            loaded = joined(&mut self.loading) => loaded.map_or_else(Done::Failed, Done::Loaded),
            found = joined(&mut self.looking) => {
                found.map_or_else(Done::Failed, |found| self.looked(found))
            }
        }
    }

    fn written(&mut self, result: Result<(Arc<Store>, u64), String>) -> Done {
        let Some(Writing { slot: id, changes, .. }) = self.writing.take() else {
            return Done::Written(Vec::new());
        };
        let Some(slot) = self.slots.get_mut(&id) else { return Done::Written(Vec::new()) };
        match result {
            Ok((store, size)) => {
                slot.store = Some(store);
                slot.size = size;
                let pieces = if id == OWN { changes.put.keys().copied().collect() } else { vec![] };
                Done::Written(pieces)
            }
            Err(error) => {
                // A store that failed once works again only when it is opened anew.
                slot.store = None;
                let later = std::mem::take(&mut slot.changes);
                slot.changes = Arc::into_inner(changes).unwrap_or_default();
                slot.changes.extend(later);
                self.pause = Instant::now() + PAUSE;
                Done::Failed(error)
            }
        }
    }

    fn looked(&mut self, found: Found) -> Done {
        let mut adopted = Vec::new();
        for (store, messages) in found.adopted {
            let id = self.next_store;
            self.next_store += 1;
            let mut slot = Slot::new(store.path().to_owned());
            slot.held = messages.len() as u64;
            slot.store = Some(Arc::new(store));
            self.slots.insert(id, slot);
            for stored in messages {
                let spooled = Spooled {
                    store: id,
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
        let mut refused = Vec::new();
        for (path, error) in found.refused {
            self.refused.insert(path);
            refused.push(error);
        }
        Done::Looked { adopted, refused }
    }

    /// Removes the files that nothing is in any more. A small one of this process stays:
    /// making it anew at every hiccup would cost more.
    fn drop_empty(&mut self) {
        if self.loading.is_some() {
            return;
        }
        let unused = |id: u32, slot: &Slot| {
            slot.held == 0 && (id != OWN || (slot.changes.put.is_empty() && slot.size > KEPT_BYTES))
        };
        for slot in self.take_slots(unused) {
            spawn_blocking(move || delete(slot));
        }
    }

    /// Removes the files that nothing is in, the own one too.
    pub(super) fn finish(mut self) {
        self.take_slots(|_, slot| slot.held == 0).into_iter().for_each(delete);
    }

    fn take_slots(&mut self, wanted: impl Fn(u32, &Slot) -> bool) -> Vec<Slot> {
        let ids = self.slots.iter().filter(|(id, slot)| wanted(**id, slot)).map(|(id, _)| *id);
        let ids: Vec<u32> = ids.collect();
        ids.iter().filter_map(|id| self.slots.remove(id)).collect()
    }
}

fn delete(slot: Slot) {
    let store = match slot.store {
        None => Store::open(&slot.path, false).ok().flatten(),
        Some(store) => Arc::into_inner(store),
    };
    if let Some(store) = store {
        store.delete();
    }
}

fn load_from(store: Option<(Option<Arc<Store>>, PathBuf)>, number: u64) -> Result<Vec<u8>, String> {
    let loaded = match store.ok_or("the store is gone")? {
        (Some(store), _) => store.load(number)?,
        (None, path) => Store::open(&path, false)?.ok_or("somebody else has it")?.load(number)?,
    };
    loaded.ok_or_else(|| "the message is gone".to_owned())
}

async fn written(writing: &mut Option<Writing>) -> Result<(Arc<Store>, u64), String> {
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
