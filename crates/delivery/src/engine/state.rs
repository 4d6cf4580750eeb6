//! The engine's fields.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use flume::Sender;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::disk::spool::Spool;
use crate::engine::backoff::Backoff;
use crate::engine::command::{Command, FlushWaiter};
use crate::engine::connection::Connection;
use crate::engine::routing::Routing;
use crate::engine::unsettled::Unsettled;
use crate::link::Answer;
use crate::link::envelope::Envelope;
use crate::messages::outbox::Outbox;
use crate::process::exit::HoldsRecords;
use crate::shared::Shared;

/// The answer for a message in flight, named by its sequence.
pub(super) type Answered = (u64, Answer);
pub(super) type Answers = FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>;

pub(crate) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) commands: UnboundedReceiver<Command>,
    pub(super) connection: Connection,
    pub(super) backoff: Backoff,
    pub(super) outbox: Outbox,
    pub(super) unsettled: Unsettled,
    /// Whether the outbox holds messages for which the end of the process should wait.
    pub(super) holds_records: HoldsRecords,
    pub(super) answers: Answers,
    pub(super) routing: Routing,
    pub(super) spool: Option<Spool>,
    /// Sequences of messages that the spool gets when they are old enough, with the time at which
    /// their oldest record came.
    pub(super) unspooled: VecDeque<(Instant, u64)>,
    pub(super) flush_waiters: Vec<FlushWaiter>,
    /// Callers that wait for a link.
    pub(super) connect_waiters: Vec<Sender<bool>>,
    /// Messages for which a caller waits.
    pub(super) confirm_waiters: usize,
    /// Ids of messages that were returned and whose own answer has not come yet.
    pub(super) returned: HashSet<Box<str>>,
    /// What was confirmed last, the oldest first: of these a return may still come.
    pub(super) last_confirmed: VecDeque<Arc<Envelope>>,
    /// Since when the receiver takes no messages.
    pub(super) blocked_since: Option<Instant>,
    /// When the receiver last answered for a message.
    pub(super) last_answer: Instant,
    /// After a rejection: until then nothing is sent.
    pub(super) send_pause: Instant,
    /// Messages are sent one at a time, to find the one over which the receiver breaks links.
    pub(super) isolating: bool,
    pub(super) next_collect: Instant,
    /// When a record last came.
    pub(super) last_record: Instant,
    pub(super) was_connected: bool,
    /// Set when all handles are gone: until then what is left may be delivered.
    pub(super) end_deadline: Option<Instant>,
}

impl Engine {
    pub(crate) fn new(shared: Arc<Shared>, commands: UnboundedReceiver<Command>) -> Self {
        let now = Instant::now();
        let settings = &shared.settings;
        let outbox = shared.orphans.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outbox = outbox.unwrap_or_default();
        let mut unsettled = Unsettled::default();
        let numbers = outbox.messages().filter_map(|message| shared.number_of(&message.envelope));
        numbers.for_each(|number| unsettled.add(number));
        let unspooled = match settings.spool {
            Some(_) => outbox.messages().map(|message| (now, message.sequence)).collect(),
            None => VecDeque::new(),
        };
        let new_spool =
            |spool| Spool::new(spool, &settings.connector.destination(), &shared.unique_id());
        Self {
            backoff: Backoff::new(settings.retry_delay),
            spool: settings.spool.as_ref().map(new_spool),
            shared,
            commands,
            connection: Connection::Down { until: now },
            confirm_waiters: outbox.confirm_waiters(),
            unspooled,
            unsettled,
            outbox,
            holds_records: HoldsRecords::default(),
            answers: Answers::new(),
            routing: Routing::Unknown,
            flush_waiters: Vec::new(),
            connect_waiters: Vec::new(),
            returned: HashSet::new(),
            last_confirmed: VecDeque::new(),
            blocked_since: None,
            last_answer: now,
            send_pause: now,
            isolating: false,
            next_collect: now,
            last_record: now,
            was_connected: false,
            end_deadline: None,
        }
    }

    /// Does `work`, which counts, within one moment of the statistics.
    pub(super) fn at_once<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let shared = Arc::clone(&self.shared);
        let _moment = shared.counters.moment();
        let result = work(self);
        shared.counters.in_flight.store(self.outbox.in_flight_records(), Ordering::Relaxed);
        result
    }

    /// True if no record waits or is in flight.
    pub(super) fn is_done(&self) -> bool {
        self.outbox.messages().next().is_none() && self.shared.buffer.records() == 0
    }

    /// Brings the statistics, and what the end of the process looks at, up to date.
    pub(super) fn update_stats(&mut self) {
        let oldest = self.outbox.messages().next().map(|message| message.since);
        self.holds_records.set(oldest.is_some() && !self.routing.is_lost());
        self.shared.buffer.note_if_empty();
        // The first message by sequence, which is roughly the oldest.
        self.shared.counters.set_oldest(oldest);
    }
}
