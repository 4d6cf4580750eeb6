//! Workers: which of their messages were counted, and when each was last heard of.

use std::collections::HashMap;

use crate::aggregate::changes::NamedRows;
use crate::aggregate::numbers::Numbers;
use crate::aggregate::row::{RowReader, RowWriter};

/// What a worker says of messages that will not follow counts after this time: the messages that
/// it sent before may still be on their way.
const SETTLE_DELAY_MS: u64 = 60_000;
/// Beyond so many workers, those that were not heard of for longest are forgotten.
const MOST_WORKERS: usize = 200_000;

/// The worker of messages that name none.
pub(crate) const UNKNOWN_WORKER: u64 = 0;

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: u64,
    pub(crate) seen_ms: u64,
    pub(crate) numbers: Numbers,
    /// Numbers below which none will follow: the one that is waited for, since when, and the newest.
    settling: Option<(u64, u64)>,
    settled: u64,
    changed: bool,
}

impl Worker {
    /// Notes that no number below `below` will follow.
    pub(crate) fn settle(&mut self, below: u64, now_ms: u64) {
        self.settled = self.settled.max(below);
        if self.settling.is_none() && self.settled > self.numbers.below() {
            self.settling = Some((self.settled, now_ms));
        }
    }

    fn tick(&mut self, now_ms: u64) {
        if let Some((below, since)) = self.settling
            && since + SETTLE_DELAY_MS <= now_ms
        {
            self.numbers.settle(below);
            self.settling = None;
            self.settle(below, now_ms);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Workers {
    by_name: HashMap<Box<str>, Worker>,
    seen: HashMap<u64, u64>,
    last_id: u64,
    /// Names of workers that are not stored as they are.
    changed: Vec<Box<str>>,
    forgotten: Vec<Box<str>>,
}

impl Workers {
    /// The worker of that name, heard of just now.
    pub(crate) fn enter(&mut self, name: &str, now_ms: u64) -> &mut Worker {
        if !self.by_name.contains_key(name) {
            self.last_id += 1;
            let worker = Worker {
                id: self.last_id,
                seen_ms: now_ms,
                numbers: Numbers::default(),
                settling: None,
                settled: 0,
                changed: false,
            };
            self.by_name.insert(name.into(), worker);
        }
        let worker = self.by_name.get_mut(name).unwrap_or_else(|| unreachable!("just entered"));
        worker.seen_ms = now_ms;
        self.seen.insert(worker.id, now_ms);
        if !std::mem::replace(&mut worker.changed, true) {
            self.changed.push(name.into());
        }
        worker
    }

    /// When a worker was last heard of; `None` if it is forgotten.
    pub(crate) fn seen_ms(&self, id: u64) -> Option<u64> {
        self.seen.get(&id).copied()
    }

    /// How many were heard of since a moment.
    pub(crate) fn seen_since(&self, since_ms: u64) -> usize {
        self.seen.values().filter(|seen_ms| **seen_ms >= since_ms).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Forgets workers that were not heard of for `memory_ms`.
    pub(crate) fn tick(&mut self, now_ms: u64, memory_ms: u64) {
        let mut since_ms = now_ms.saturating_sub(memory_ms);
        if self.by_name.len() > MOST_WORKERS {
            let mut seen: Vec<u64> = self.by_name.values().map(|worker| worker.seen_ms).collect();
            let excess = seen.len() - MOST_WORKERS;
            let (_, newest, _) = seen.select_nth_unstable(excess - 1);
            since_ms = since_ms.max(*newest + 1);
        }
        let Self { by_name, seen, forgotten, .. } = self;
        by_name.retain(|name, worker| {
            worker.tick(now_ms);
            let stays = worker.seen_ms >= since_ms;
            if !stays {
                seen.remove(&worker.id);
                forgotten.push(name.clone());
            }
            stays
        });
    }

    /// Rows of the workers that have changed, and names of those that are forgotten.
    pub(crate) fn take_changes(&mut self) -> (NamedRows, Vec<Box<str>>) {
        let mut rows = Vec::with_capacity(self.changed.len());
        for name in self.changed.drain(..) {
            // One that is forgotten meanwhile is among the others.
            if let Some(worker) = self.by_name.get_mut(&name) {
                worker.changed = false;
                rows.push((name, row(worker)));
            }
        }
        (rows, std::mem::take(&mut self.forgotten))
    }

    /// Takes back changes that could not be stored.
    pub(crate) fn put_back(&mut self, rows: NamedRows, forgotten: Vec<Box<str>>) {
        for (name, _) in rows {
            if let Some(worker) = self.by_name.get_mut(&name)
                && !std::mem::replace(&mut worker.changed, true)
            {
                self.changed.push(name);
            }
        }
        let gone = forgotten.into_iter().filter(|name| !self.by_name.contains_key(name));
        self.forgotten.extend(gone);
    }

    /// Adds a worker as it was stored; `None` if the row cannot be read.
    pub(crate) fn load(&mut self, name: &str, bytes: &[u8]) -> Option<()> {
        let worker = read(bytes)?;
        self.last_id = self.last_id.max(worker.id);
        self.seen.insert(worker.id, worker.seen_ms);
        self.by_name.insert(name.into(), worker);
        Some(())
    }
}

fn row(worker: &Worker) -> Vec<u8> {
    let mut row = RowWriter::default();
    row.integer(worker.id);
    row.integer(worker.seen_ms);
    row.integer(worker.numbers.below());
    row.length(worker.numbers.beyond().len());
    for (first, last) in worker.numbers.beyond() {
        row.integer(*first);
        row.integer(*last);
    }
    row.0
}

fn read(bytes: &[u8]) -> Option<Worker> {
    let mut row = RowReader(bytes);
    let (id, seen_ms, below) = (row.integer()?, row.integer()?, row.integer()?);
    let length = row.length()?;
    let mut beyond = Vec::with_capacity(length);
    for _ in 0..length {
        beyond.push((row.integer()?, row.integer()?));
    }
    let numbers = Numbers::new(below, beyond);
    Some(Worker { id, seen_ms, numbers, settling: None, settled: 0, changed: false })
}
