//! The bounded buffer between callers and the network side of one handler.
//!
//! Callers fill the newest chunk; the network side takes whole chunks, oldest first. Its lock
//! is held for a few instructions by either, never while anybody works or waits. The
//! network side sleeps while nothing comes: the first record after that wakes it, and the
//! others only put themselves down.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::chunk::Chunk;
use super::exit::Occupied;

/// A chunk is closed beyond it: small enough that dropping one takes no noticeable time.
const CHUNK_BYTES: usize = 256 * 1024;

pub(super) struct Buffer {
    queue: Mutex<Queue>,
    limit: usize,
    chunk_limit: usize,
    /// The network side sleeps until somebody wakes it.
    asleep: AtomicBool,
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    closed: VecDeque<Chunk>,
    open: Chunk,
    /// Of the closed ones.
    bytes: usize,
    records: u64,
    /// Records that ever left, by either end.
    left: u64,
    occupied: Occupied,
}

impl Buffer {
    /// `limit` in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            queue: Mutex::default(),
            limit,
            chunk_limit: CHUNK_BYTES.min(limit / 8).max(1),
            asleep: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `fill` put records down; returns how many old ones had to go for them.
    pub(super) fn push(&self, fill: impl FnOnce(&mut Chunk)) -> u64 {
        let mut dropped = Vec::new();
        {
            let mut queue = self.queue();
            let before = queue.open.len();
            fill(&mut queue.open);
            let added = queue.open.len() - before;
            if before == 0 && added > 0 {
                queue.open.since = Some(Instant::now());
            }
            queue.records += added as u64;
            if added > 0 {
                queue.occupied.set(true);
            }
            if queue.open.bytes >= self.chunk_limit {
                queue.close();
            }
            while queue.bytes > self.limit {
                let Some(oldest) = queue.take() else { break };
                dropped.push(oldest);
            }
        }
        // Only here is the lock free, and freeing thousands of records takes its time.
        let count = dropped.iter().map(|chunk| chunk.len() as u64).sum();
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            self.wake.notify_one();
        }
        count
    }

    /// The oldest records; with it the number of those that left before them.
    pub(super) fn take(&self) -> Option<(Chunk, u64)> {
        let mut queue = self.queue();
        let before = queue.left;
        if queue.closed.is_empty() {
            queue.close();
        }
        queue.take().map(|chunk| (chunk, before))
    }

    /// Tells the end of the process that nothing is left in here, if that is so; what was
    /// taken has got its next place by now.
    pub(super) fn tell_empty(&self) {
        let mut queue = self.queue();
        if queue.records == 0 {
            queue.occupied.set(false);
        }
    }

    /// Records in here.
    pub(super) fn records(&self) -> u64 {
        self.queue().records
    }

    /// Records that ever left or are in here: the number of the next one.
    pub(super) fn next_number(&self) -> u64 {
        let queue = self.queue();
        queue.left + queue.records
    }

    /// The number of the oldest record in here.
    pub(super) fn oldest_number(&self) -> Option<u64> {
        let queue = self.queue();
        (queue.records > 0).then_some(queue.left)
    }

    /// How long the oldest record has been waiting.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        let queue = self.queue();
        let oldest = queue.closed.front().unwrap_or(&queue.open);
        oldest.since.map(|since| now.saturating_duration_since(since))
    }

    /// From now on the next record wakes; false if records are here already.
    pub(super) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        // A record that came before the lock was taken did not see the flag.
        if self.records() > 0 {
            self.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Returns when somebody wakes the network side.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Queue {
    fn close(&mut self) {
        if !self.open.is_empty() {
            let chunk = std::mem::take(&mut self.open);
            self.bytes += chunk.bytes;
            self.closed.push_back(chunk);
        }
    }

    fn take(&mut self) -> Option<Chunk> {
        let chunk = self.closed.pop_front()?;
        self.bytes -= chunk.bytes;
        let count = chunk.len() as u64;
        self.records -= count;
        self.left += count;
        Some(chunk)
    }
}
