//! Messages on disk, for outages longer than memory and for processes that die.
//!
//! A message that the broker has not confirmed soon is written to this process's store and
//! removed when it has been. Everything here that touches the disk runs apart from the
//! network side, which goes on meanwhile.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::message::{Message, SpoolKey};
use super::settings::{Settings, SpoolSettings};
use super::store::{Changes, Store, Stored, target_of};

/// A message younger than this has good chances to be confirmed in time. With the time that
/// records wait before it and a write after it, a process that is killed loses 50 ms.
pub(super) const GRACE: Duration = Duration::from_millis(15);
/// How often files of dead processes are looked for.
const ADOPT_EVERY: Duration = Duration::from_secs(10);

/// This process's own store; adopted ones count from 1.
const OWN: u32 = 0;

pub(super) struct Spool {
    directory: PathBuf,
    max_bytes: u64,
    target: String,
    worker: Box<str>,
    stores: HashMap<u32, Arc<Store>>,
    next_store: u32,
    /// Messages in each store, and bytes of all bodies.
    held: HashMap<u32, u64>,
    bytes: u64,
    changes: HashMap<u32, Changes>,
    task: Option<Task>,
    next_look: Instant,
}

enum Task {
    Write(JoinHandle<Result<Written, String>>),
    Load(JoinHandle<Vec<(u64, Result<Arc<[u8]>, String>)>>),
    Adopt(JoinHandle<Vec<(Store, Vec<Stored>)>>),
}

/// What came of work on the disk.
pub(super) enum Done {
    /// These messages of this process are on disk.
    Written(Vec<u64>),
    /// Bodies, by the sequence of their message.
    Loaded(Vec<(u64, Result<Arc<[u8]>, String>)>),
    /// Messages of processes that are gone.
    Adopted(Vec<(SpoolKey, Stored)>),
    Failed(String),
}

struct Written {
    numbers: Vec<u64>,
    created: Option<Store>,
}

impl Spool {
    pub(super) fn new(settings: &Settings, spool: &SpoolSettings, worker: Box<str>) -> Self {
        Self {
            directory: spool.directory.clone(),
            max_bytes: spool.max_bytes,
            target: target_of(settings),
            worker,
            stores: HashMap::new(),
            next_store: OWN + 1,
            held: HashMap::new(),
            bytes: 0,
            changes: HashMap::new(),
            task: None,
            next_look: Instant::now(),
        }
    }

    /// Has `message` written at the next opportunity.
    pub(super) fn put(&mut self, message: &mut Message, body: Arc<[u8]>) {
        let key = SpoolKey { store: OWN, number: message.sequence };
        self.bytes += body.len() as u64;
        *self.held.entry(OWN).or_default() += 1;
        let put = (key.number, Arc::clone(&message.envelope), body);
        self.changes.entry(OWN).or_default().put.push(put);
        message.spooled = Some(key);
    }

    /// Forgets a message that needs the disk no longer.
    pub(super) fn remove(&mut self, key: SpoolKey, body_bytes: usize) {
        self.bytes = self.bytes.saturating_sub(body_bytes as u64);
        if let Some(held) = self.held.get_mut(&key.store) {
            *held -= 1;
        }
        let changes = self.changes.entry(key.store).or_default();
        let before = changes.put.len();
        changes.put.retain(|(number, ..)| *number != key.number);
        if changes.put.len() == before {
            changes.remove.push(key.number);
        }
    }

    /// True if more is on disk than may be.
    pub(super) fn is_over_full(&self) -> bool {
        self.bytes > self.max_bytes
    }

    /// True while the disk is at work for it.
    pub(super) fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// Starts whatever the disk should do next, if it does nothing.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.task.is_some() {
            return;
        }
        self.drop_empty_stores();
        let next = self.changes.iter().find(|(_, changes)| !changes.is_empty());
        if let Some(store) = next.map(|(store, _)| *store) {
            self.write(store);
        } else if now >= self.next_look {
            self.next_look = now + ADOPT_EVERY;
            let (directory, target) = (self.directory.clone(), self.target.clone());
            let own = self.worker.clone();
            let task = spawn_blocking(move || Store::adopt(&directory, &target, &own));
            self.task = Some(Task::Adopt(task));
        }
    }

    /// When there is something to do at the latest.
    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    fn write(&mut self, store: u32) {
        let changes = std::mem::take(self.changes.entry(store).or_default());
        let known = self.stores.get(&store).cloned();
        let (directory, target) = (self.directory.clone(), self.target.clone());
        let worker = self.worker.clone();
        self.task = Some(Task::Write(spawn_blocking(move || {
            let numbers = changes.put.iter().map(|(number, ..)| *number).collect();
            let created = match known {
                Some(store) => {
                    store.apply(&changes)?;
                    None
                }
                None => {
                    let store = Store::create(&directory, &target, &worker)?;
                    store.apply(&changes)?;
                    Some(store)
                }
            };
            Ok(Written { numbers, created })
        })));
    }

    /// Loads the bodies of messages that are on disk only.
    pub(super) fn load(&mut self, wanted: Vec<(u64, SpoolKey)>) {
        if self.task.is_some() || wanted.is_empty() {
            return;
        }
        let stores = self.stores.clone();
        self.task = Some(Task::Load(spawn_blocking(move || {
            let load = |key: SpoolKey| {
                let store = stores.get(&key.store).ok_or("the store is gone")?;
                store.load(key.number)?.ok_or_else(|| "the message is gone".to_owned())
            };
            wanted.into_iter().map(|(sequence, key)| (sequence, load(key))).collect()
        })));
    }

    /// What came of the work under way; waits for ever if there is none.
    pub(super) async fn done(&mut self) -> Done {
        let done = match &mut self.task {
            None => std::future::pending().await,
            Some(Task::Write(task)) => flat(task.await).map(|written| self.written(written)),
            Some(Task::Load(task)) => task.await.map_err(|e| e.to_string()).map(Done::Loaded),
            Some(Task::Adopt(task)) => {
                task.await.map_err(|e| e.to_string()).map(|adopted| self.adopted(adopted))
            }
        };
        self.task = None;
        done.unwrap_or_else(Done::Failed)
    }

    fn written(&mut self, written: Written) -> Done {
        if let Some(store) = written.created {
            self.stores.insert(OWN, Arc::new(store));
        }
        Done::Written(written.numbers)
    }

    fn adopted(&mut self, adopted: Vec<(Store, Vec<Stored>)>) -> Done {
        let mut messages = Vec::new();
        for (store, stored) in adopted {
            let id = self.next_store;
            self.next_store += 1;
            self.stores.insert(id, Arc::new(store));
            self.held.insert(id, stored.len() as u64);
            for stored in stored {
                self.bytes += u64::from(stored.body_bytes);
                messages.push((SpoolKey { store: id, number: stored.number }, stored));
            }
        }
        Done::Adopted(messages)
    }

    /// Removes the adopted files that nothing is in any more. The own one stays: making it
    /// anew at every hiccup would cost more.
    fn drop_empty_stores(&mut self) {
        let held = &self.held;
        let empty = self
            .stores
            .extract_if(|id, _| *id != OWN && held.get(id).is_none_or(|held| *held == 0));
        for (id, store) in empty {
            self.changes.remove(&id);
            if let Some(store) = Arc::into_inner(store) {
                store.delete();
            }
        }
    }

    /// Writes what is left and ends; the own file goes if nothing is in it.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        let mut failed = None;
        while self.is_busy() {
            if let Done::Failed(error) = self.done().await {
                failed = Some(error);
            }
        }
        while let Some(store) =
            self.changes.iter().find(|(_, changes)| !changes.is_empty()).map(|(store, _)| *store)
        {
            self.write(store);
            if let Done::Failed(error) = self.done().await {
                failed = Some(error);
            }
        }
        self.drop_empty_stores();
        if self.held.get(&OWN).is_none_or(|held| *held == 0)
            && let Some(store) = self.stores.remove(&OWN).and_then(Arc::into_inner)
        {
            store.delete();
        }
        failed.map_or(Ok(()), Err)
    }
}

fn flat<T>(joined: Result<Result<T, String>, JoinError>) -> Result<T, String> {
    joined.map_err(|error| error.to_string())?
}
