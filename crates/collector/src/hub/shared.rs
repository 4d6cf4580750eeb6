//! What sources, committer and server share: the aggregate, and how far it is stored.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::changes::Changes;
use crate::aggregate::options::Options;
use crate::aggregate::tally::Taken;
use crate::expose::negotiate::Format;
use crate::expose::page::page;
use crate::hub::clock::now_ms;
use crate::hub::condition::Condition;
use crate::hub::log::Log;
use crate::hub::metrics::own_metrics;
use crate::intake::message::Message;

/// While this many bytes wait to be stored, storing does not wait for its time.
const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Counts messages of all sources.
///
/// Every message gets the next sequence number. Once that is stored, the source may acknowledge
/// the message and all before it.
#[derive(Debug)]
pub struct Hub {
    inner: Mutex<Inner>,
    /// Up to this sequence number, messages are stored.
    stored: watch::Sender<u64>,
    /// Wakes the committer.
    wake: Notify,
    /// False: messages are acknowledged when they are counted.
    has_store: bool,
    started_ms: u64,
    pub condition: Condition,
    pub log: Log,
}

#[derive(Debug)]
struct Inner {
    aggregate: Aggregate,
    /// Of the newest message.
    sequence: u64,
    /// Bytes of bodies that are counted and not stored, and since when.
    waiting_bytes: usize,
    waiting_since: Option<Instant>,
}

/// What is to be stored next.
pub(crate) struct Batch {
    pub(crate) changes: Changes,
    pub(crate) sequence: u64,
}

impl Hub {
    pub fn new(aggregate: Aggregate, has_store: bool, log: Log) -> Self {
        let inner = Inner { aggregate, sequence: 0, waiting_bytes: 0, waiting_since: None };
        Self {
            inner: Mutex::new(inner),
            stored: watch::Sender::new(0),
            wake: Notify::new(),
            has_store,
            started_ms: now_ms(),
            condition: Condition::default(),
            log,
        }
    }

    pub(crate) fn has_store(&self) -> bool {
        self.has_store
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a message; returns its sequence number.
    pub fn take(&self, message: &Message<'_>) -> u64 {
        let now_ms = now_ms();
        let mut inner = self.inner();
        // A mistake in here costs one message, which would fail the next time as well.
        let take = AssertUnwindSafe(|| inner.aggregate.take(message, now_ms));
        let taken = catch_unwind(take);
        inner.sequence += 1;
        let sequence = inner.sequence;
        let mut is_much = false;
        if self.has_store {
            inner.waiting_bytes += message.body.len();
            inner.waiting_since.get_or_insert_with(Instant::now);
            is_much = inner.waiting_bytes >= WAITING_BYTES;
        }
        drop(inner);
        if is_much {
            self.wake.notify_one();
        }
        if !self.has_store {
            self.stored.send_replace(sequence);
        }
        if let Ok(taken) = taken {
            self.report(message, taken);
        } else {
            self.log.warn("panic", "phanos itself failed on a message, please report it");
        }
        sequence
    }

    /// Logs what was bad about a message.
    fn report(&self, message: &Message<'_>, taken: Taken) {
        let Some(reason) = taken.reason else { return };
        let mut text =
            format!("{} of {} records not counted: ", taken.bad, taken.bad + taken.records);
        let _ = write!(
            text,
            "{}; metric {:?}, job {:?}",
            reason.sentence(),
            message.metric,
            message.job
        );
        if !message.worker.is_empty() {
            let _ = write!(text, ", worker {}", message.worker);
        }
        self.log.warn(reason.name(), &text);
    }

    /// Asks for everything to be stored now rather than at its time.
    pub fn store_soon(&self) {
        self.wake.notify_one();
    }

    /// How far messages are stored, and changes of that.
    pub fn stored(&self) -> watch::Receiver<u64> {
        self.stored.subscribe()
    }

    /// Waits until a caller asks for everything to be stored.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// What is to be stored; `None` if nothing is.
    pub(crate) fn batch(&self) -> Option<Batch> {
        let mut inner = self.inner();
        inner.aggregate.tick(now_ms());
        let changes = inner.aggregate.take_changes();
        let sequence = inner.sequence;
        inner.waiting_bytes = 0;
        inner.waiting_since = None;
        drop(inner);
        let is_news = !changes.is_empty() || *self.stored.borrow() != sequence;
        is_news.then_some(Batch { changes, sequence })
    }

    pub(crate) fn is_stored(&self, sequence: u64) {
        self.stored.send_replace(sequence);
    }

    /// Takes back what could not be stored.
    pub(crate) fn put_back(&self, changes: Changes) {
        let mut inner = self.inner();
        inner.aggregate.put_back(changes);
        inner.waiting_since.get_or_insert_with(Instant::now);
    }

    /// The page in a format.
    pub fn page(&self, format: Format) -> Vec<u8> {
        let begin = Instant::now();
        let inner = self.inner();
        let waiting = (inner.waiting_bytes, inner.waiting_since.map(|since| since.elapsed()));
        let own = own_metrics(&inner.aggregate, &self.condition, waiting);
        let page = page(format, &inner.aggregate, &own, self.started_ms, now_ms());
        drop(inner);
        let condition = &self.condition;
        let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        condition.scrapes.fetch_add(1, Ordering::Relaxed);
        condition.scrape_us.fetch_add(took, Ordering::Relaxed);
        condition.last_scrape_us.store(took, Ordering::Relaxed);
        page
    }

    /// Lets `look` see the aggregate; messages wait meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Aggregate) -> T) -> T {
        look(&self.inner().aggregate)
    }

    /// The same for what changes it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Aggregate) -> T) -> T {
        change(&mut self.inner().aggregate)
    }

    pub(crate) fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// Other options, for series that are made from now on.
    pub fn set_options(&self, options: Options) {
        self.inner().aggregate.set_options(options);
    }

    /// How long the oldest message has waited to be stored.
    pub fn waiting_for(&self) -> Duration {
        self.inner().waiting_since.map(|since| since.elapsed()).unwrap_or_default()
    }
}
