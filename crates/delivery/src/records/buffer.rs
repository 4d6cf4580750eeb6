//! The bounded buffer between callers and the network side of one handler.
//!
//! Callers fill the newest chunk; the network side takes whole chunks, oldest first. Either holds
//! the lock for a few instructions, never while it works or waits. The network side sleeps while
//! no records come; the first record wakes it, and the callers of the next ones only store them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::process::exit::HoldsRecords;
use crate::records::chunk::Chunk;

/// A chunk that has reached this size takes no more records. Dropping one takes no noticeable
/// time.
const CHUNK_BYTES: usize = 256 * 1024;

pub(crate) struct Buffer {
    queue: Mutex<Queue>,
    limit_bytes: usize,
    chunk_bytes: usize,
    /// The network side sleeps until a caller wakes it.
    asleep: AtomicBool,
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    closed: VecDeque<Chunk>,
    open: Chunk,
    /// Bytes of the closed chunks, and of those among them that alone are above the limit.
    bytes: usize,
    oversized_bytes: usize,
    records: u64,
    /// Records that ever left, taken or dropped.
    left: u64,
    dropped: u64,
    holds_records: HoldsRecords,
}

/// Counts of records of one moment.
pub(crate) struct BufferCounts {
    pub(crate) waiting: u64,
    /// That ever came.
    pub(crate) came: u64,
    /// That were dropped to make room.
    pub(crate) dropped: u64,
}

impl Buffer {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            queue: Mutex::default(),
            limit_bytes,
            chunk_bytes: CHUNK_BYTES.min(limit_bytes / 8).max(1),
            asleep: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `fill` add records; true if old ones were dropped to make room.
    ///
    /// Records that come together stay together. If they alone take more than the limit, they wait
    /// all the same, until others have filled the limit beside them or as many come again.
    pub(crate) fn push(&self, fill: impl FnOnce(&mut Chunk)) -> bool {
        let mut dropped = Vec::new();
        let is_urgent;
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
                queue.holds_records.set(true);
            }
            if queue.open.bytes >= self.chunk_bytes {
                let is_oversized = queue.open.bytes > self.limit_bytes;
                while is_oversized && queue.oversized_bytes > 0 {
                    queue.drop_oldest(self.limit_bytes, &mut dropped);
                }
                queue.close(self.limit_bytes);
            }
            while queue.bytes - queue.oversized_bytes > self.limit_bytes {
                queue.drop_oldest(self.limit_bytes, &mut dropped);
            }
            is_urgent = queue.oversized_bytes > 0;
        }
        if is_urgent
            || (self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel))
        {
            self.wake.notify_one();
        }
        // Chunks are freed at the end, outside the lock: thousands of records take some time.
        !dropped.is_empty()
    }

    /// The oldest records, and the number of records that left before them.
    pub(crate) fn take(&self) -> Option<(Chunk, u64)> {
        let mut queue = self.queue();
        let before = queue.left;
        if queue.closed.is_empty() {
            queue.close(self.limit_bytes);
        }
        queue.take(self.limit_bytes).map(|chunk| (chunk, before))
    }

    /// If no records are left, lets the end of the process know. To be called when the records that
    /// were taken are counted elsewhere.
    pub(crate) fn note_if_empty(&self) {
        let mut queue = self.queue();
        if queue.records == 0 {
            queue.holds_records.set(false);
        }
    }

    /// How many records wait.
    pub(crate) fn records(&self) -> u64 {
        self.queue().records
    }

    pub(crate) fn counts(&self) -> BufferCounts {
        let queue = self.queue();
        BufferCounts {
            waiting: queue.records,
            came: queue.left + queue.records,
            dropped: queue.dropped,
        }
    }

    /// The number of the next record: how many came before it.
    pub(crate) fn next_number(&self) -> u64 {
        let queue = self.queue();
        queue.left + queue.records
    }

    /// The number of the oldest waiting record.
    pub(crate) fn oldest_number(&self) -> Option<u64> {
        let queue = self.queue();
        (queue.records > 0).then_some(queue.left)
    }

    /// How long the oldest record has been waiting.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        let queue = self.queue();
        let oldest = queue.closed.front().unwrap_or(&queue.open);
        oldest.since.map(|since| now.saturating_duration_since(since))
    }

    /// From now on the next record wakes the network side; false if records are waiting already.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        // A record that came before the lock was taken did not see the flag.
        if self.records() > 0 {
            self.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Returns when a caller wakes the network side, or has put in more than the limit at once.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Queue {
    fn close(&mut self, limit_bytes: usize) {
        if !self.open.is_empty() {
            let chunk = std::mem::take(&mut self.open);
            self.bytes += chunk.bytes;
            self.oversized_bytes += oversized(&chunk, limit_bytes);
            self.closed.push_back(chunk);
        }
    }

    fn take(&mut self, limit_bytes: usize) -> Option<Chunk> {
        let chunk = self.closed.pop_front()?;
        self.bytes -= chunk.bytes;
        self.oversized_bytes -= oversized(&chunk, limit_bytes);
        let count = chunk.len() as u64;
        self.records -= count;
        self.left += count;
        Some(chunk)
    }

    fn drop_oldest(&mut self, limit_bytes: usize, dropped: &mut Vec<Chunk>) {
        if let Some(oldest) = self.take(limit_bytes) {
            self.dropped += oldest.len() as u64;
            dropped.push(oldest);
        }
    }
}

/// The bytes of a chunk that alone is above the limit.
fn oversized(chunk: &Chunk, limit_bytes: usize) -> usize {
    if chunk.bytes > limit_bytes { chunk.bytes } else { 0 }
}
