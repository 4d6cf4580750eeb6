//! The network side of one handler: one task that moves records from the buffer to the
//! broker, and keeps every message until the broker has confirmed it.
//!
//! | module       | concept |
//! |--------------|---------|
//! | `rounds`     | round after round until the end, whatever happens in one |
//! | `collecting` | from the buffer to messages |
//! | `connecting` | the connection: made, watched, given up |
//! | `answers`    | sending, and what the broker answers |
//! | `disk`       | messages that go to the spool and come back |
//! | `callers`    | what callers ask, and how they are answered |
//! | `ending`     | the end of a message, and of everything |

mod answers;
mod callers;
mod collecting;
mod connecting;
mod disk;
mod ending;
mod rounds;

use std::collections::{HashSet, VecDeque};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::Confirmation;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;

use super::backoff::Backoff;
use super::exit::Occupied;
use super::failure::Failure;
use super::message::{Body, Envelope, Message};
use super::outbox::Outbox;
use super::routing::Routing;
use super::shared::Shared;
use super::spool::{Done, Spool};
use super::stats::{Reason, State, add, subtract};
use super::ticket::Ticket;
pub(super) use callers::Command;
use callers::FlushWaiter;
use connecting::{Connection, happening};

/// How long records wait for others to travel with.
const TICK: Duration = Duration::from_millis(20);
/// Without records for so long, the task sleeps until it is woken.
const LINGER: Duration = Duration::from_secs(1);
/// What is left when the last handle is dropped has so long.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// What came of a round.
enum Turn {
    /// Another one follows.
    Done,
    /// Somebody wants the end.
    Stopped(SyncSender<bool>),
    /// Nobody is left who could want anything.
    Abandoned,
}

type Answered = (u64, lapin::Result<Confirmation>);
type Answers = FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>;
pub(super) struct Engine {
    shared: Arc<Shared>,
    commands: UnboundedReceiver<Command>,
    connection: Connection,
    backoff: Backoff,
    outbox: Outbox,
    /// Whether there are messages that somebody can receive.
    occupied: Occupied,
    answers: Answers,
    routing: Routing,
    spool: Option<Spool>,
    /// Messages that the spool may have to take, by age.
    unspooled: VecDeque<(Instant, u64)>,
    flushes: Vec<FlushWaiter>,
    /// Messages that somebody waits for.
    tickets: usize,
    /// Ids of messages that came back and whose confirmation is yet to come.
    returned: HashSet<Box<str>>,
    /// Since when the broker takes nothing.
    blocked: Option<Instant>,
    /// When the broker last gave a sign of life for a message.
    last_answer: Instant,
    /// Nothing is sent before.
    pause: Instant,
    /// One message at a time, to find the one that the broker refuses.
    suspicious: bool,
    next_collect: Instant,
    last_record: Instant,
    was_up: bool,
    /// All handles are gone: what is left may be delivered until then.
    ending: Option<Instant>,
}

impl Engine {
    pub(super) fn new(shared: Arc<Shared>, commands: UnboundedReceiver<Command>) -> Self {
        let now = Instant::now();
        let settings = &shared.settings;
        let spool =
            settings.spool.as_ref().map(|spool| Spool::new(settings, spool, &shared.unique_id()));
        Self {
            backoff: Backoff::new(settings.retry_delay),
            spool,
            shared,
            commands,
            connection: Connection::Down { until: now },
            outbox: Outbox::default(),
            occupied: Occupied::default(),
            answers: Answers::new(),
            routing: Routing::Unknown,
            unspooled: VecDeque::new(),
            flushes: Vec::new(),
            tickets: 0,
            returned: HashSet::new(),
            blocked: None,
            last_answer: now,
            pause: now,
            suspicious: false,
            next_collect: now,
            last_record: now,
            was_up: false,
            ending: None,
        }
    }

    /// One round of everything there is to do.
    async fn turn(&mut self) -> Turn {
        let now = Instant::now();
        self.collect(now);
        self.mind_disk(now);
        self.connect(now);
        self.send(now);
        // Who flushed looks at the counts next.
        self.tell_counts();
        self.answer_flushes();
        if let Some(answer) = self.next(now).await {
            return Turn::Stopped(answer);
        }
        let now = Instant::now();
        self.check_deadlines(now);
        if self.ending.is_some_and(|end| end <= now || self.is_done()) {
            return Turn::Abandoned;
        }
        Turn::Done
    }

    fn tell_counts(&mut self) {
        self.occupied.set(self.outbox.messages().next().is_some() && !self.routing.is_lost());
        self.shared.buffer.tell_empty();
        let counters = &self.shared.counters;
        counters.in_flight.store(self.outbox.in_flight_records(), Ordering::Relaxed);
        // By sequence, hence nearly by age.
        counters.set_oldest(self.outbox.messages().next().map(|message| message.since));
    }

    /// Waits for whatever happens next; `Some` if that is the end.
    async fn next(&mut self, now: Instant) -> Option<SyncSender<bool>> {
        let mut wake_at = self.next_deadline(now);
        let mut asleep = false;
        if self.wants_records() {
            if now.duration_since(self.last_record) < LINGER {
                wake_at = earlier(wake_at, Some(self.next_collect));
            } else if self.shared.buffer.fall_asleep() {
                asleep = true;
            } else {
                wake_at = Some(now);
            }
        }
        tokio::select! {
            biased;
            command = self.commands.recv(), if self.ending.is_none() => match command {
                None => {
                    self.ending = Some(now + LAST_CHANCE);
                    self.next_collect = now;
                }
                Some(Command::Stop { answer }) => return Some(answer),
                Some(command) => self.obey(command),
            },
            Some(answered) = self.answers.next(), if !self.answers.is_empty() => {
                self.settle(answered);
            }
            happened = happening(&mut self.connection) => self.handle(happened),
            done = disk_done(&mut self.spool) => self.handle_disk(done),
            () = self.shared.buffer.woken(), if asleep => self.next_collect = now,
            () = sleep_until(wake_at.unwrap_or(now).into()), if wake_at.is_some() => {}
        }
        None
    }

    /// When something is due that no event will tell of.
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let settings = &self.shared.settings;
        let mut next = match self.connection {
            Connection::Down { until } => Some(until),
            _ => None,
        };
        if let Some(since) = self.blocked {
            next = earlier(next, Some(since + settings.blocked_timeout));
        } else if let Some(sent) = self.outbox.oldest_sent() {
            next = earlier(next, Some(sent.max(self.last_answer) + settings.stack_timeout));
        }
        if self.outbox.waiting() > 0 && matches!(self.connection, Connection::Up(_)) {
            // Times that have passed are waited for no longer: what holds sending up then
            // (a full window, a probe under way) ends with an answer.
            let held_up = [Some(self.pause), self.routing.next_probe()];
            for until in held_up.into_iter().flatten().filter(|until| *until > now) {
                next = earlier(next, Some(until));
            }
        }
        if self.tickets > 0 {
            next = earlier(next, self.outbox.next_ticket());
        }
        earlier(earlier(next, self.disk_deadline()), self.ending)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

async fn disk_done(spool: &mut Option<Spool>) -> Done {
    match spool {
        None => pending().await,
        Some(spool) => spool.done().await,
    }
}
