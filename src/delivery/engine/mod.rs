//! The network side of one handler: one task that moves records from the buffer to the
//! broker, and keeps every message until the broker has confirmed it.
//!
//! | module    | concept |
//! |-----------|---------|
//! | `answers` | sending, and what the broker answers |
//! | `disk`    | messages that go to the spool and come back |
//! | `rounds`  | round after round until the end, whatever happens in one |

mod answers;
mod disk;
mod rounds;

use std::collections::{HashSet, VecDeque};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::{Confirmation, Event};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

use super::backoff::Backoff;
use super::chunk::Chunk;
use super::encode::{Encoded, encode};
use super::exit::Occupied;
use super::failure::Failure;
use super::link::Link;
use super::message::{Body, Envelope, Message};
use super::notices::Level;
use super::outbox::Outbox;
use super::routing::Routing;
use super::shared::Shared;
use super::spool::{Done, Spool};
use super::stats::{Reason, State, add, subtract};
use super::ticket::Ticket;

/// How long records wait for others to travel with.
const TICK: Duration = Duration::from_millis(20);
/// Without records for so long, the task sleeps until it is woken.
const LINGER: Duration = Duration::from_secs(1);
/// While so many messages wait to be sent, more records stay in the buffer, where they take
/// less memory and travel together afterwards.
const WAITING_MESSAGES: usize = 64;
/// What is left when the last handle is dropped has so long.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// For saying goodbye to a broker.
const GOODBYE: Duration = Duration::from_millis(500);

/// What callers ask of the network side.
pub(super) enum Command {
    /// Send this, and tell whether it arrived.
    Publish { envelope: Envelope, body: Vec<u8>, ticket: Ticket },
    /// Tell when nothing handed over so far waits any longer. The answer is false if it waits
    /// for consumers to come back, which may take for ever.
    Flush { answer: SyncSender<bool> },
    /// End; records that are left go to the spool or are given up. The answer is true if
    /// none had to be given up.
    Stop { answer: SyncSender<bool> },
    /// Panic.
    #[cfg(test)]
    Fail,
}

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
type Opening = Pin<Box<dyn Future<Output = Result<Box<Link>, Failure>> + Send>>;

// There is one per handler.
#[allow(clippy::large_enum_variant)]
enum Connection {
    /// Until then nothing is tried.
    Down {
        until: Instant,
    },
    Opening(Opening),
    Up(Box<Link>),
}

struct FlushWaiter {
    /// Records before this number are waited for.
    number: u64,
    /// Messages up to this one too, which may come from elsewhere than the buffer.
    sequence: u64,
    answer: SyncSender<bool>,
}

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

    /// True if nothing waits any longer.
    fn is_done(&self) -> bool {
        self.outbox.messages().next().is_none() && self.shared.buffer.records() == 0
    }

    // --- Records and wishes of callers ---------------------------------------------------

    /// True if records should leave the buffer now. Without a connection they are better off
    /// in there, unless they have to get to the disk.
    fn wants_records(&self) -> bool {
        match &self.spool {
            Some(_) => !self.outbox.is_full(),
            None => {
                matches!(self.connection, Connection::Up(_))
                    && !self.outbox.is_full()
                    && self.outbox.waiting() < WAITING_MESSAGES
            }
        }
    }

    fn collect(&mut self, now: Instant) {
        if now < self.next_collect {
            return;
        }
        self.next_collect = now + TICK;
        while self.wants_records() {
            let Some((chunk, number)) = self.shared.buffer.take() else { break };
            self.last_record = now;
            self.add_chunk(&chunk, number, now);
        }
    }

    /// `number` is that of the chunk's first record.
    fn add_chunk(&mut self, chunk: &Chunk, number: u64, now: Instant) {
        let since = chunk.since.unwrap_or(now);
        for message in self.encoded(chunk) {
            let (metric, job) = (message.metric.name(), message.metric.job());
            if let Some(sequence) = self.outbox.extend(metric, job, &message.body, message.records)
            {
                add(&self.shared.counters.outstanding, u64::from(message.records));
                self.mark_unspooled(since, sequence);
                continue;
            }
            let envelope = Envelope {
                id: "".into(),
                routing_key: job.into(),
                metric: metric.into(),
                worker: self.shared.worker.clone(),
                records: message.records,
            };
            self.add(envelope, message.body, Some(number), since, None);
        }
    }

    /// The messages of `chunk`; none, if there is a mistake in making them.
    fn encoded(&self, chunk: &Chunk) -> Vec<Encoded> {
        let mut encoded = Vec::new();
        let encode = || encode(chunk, |message| encoded.push(message));
        if catch_unwind(AssertUnwindSafe(encode)).is_err() {
            self.shared.give_up(Reason::Failed, chunk.len() as u64);
            return Vec::new();
        }
        encoded
    }

    /// Queues a message; one without an id gets one.
    fn add(
        &mut self,
        mut envelope: Envelope,
        body: Vec<u8>,
        number: Option<u64>,
        since: Instant,
        ticket: Option<Ticket>,
    ) {
        let sequence = self.outbox.next_sequence();
        if envelope.id.is_empty() {
            envelope.id = self.shared.unique_id();
        }
        add(&self.shared.counters.outstanding, u64::from(envelope.records));
        if ticket.is_some() {
            self.tickets += 1;
        } else {
            self.mark_unspooled(since, sequence);
        }
        self.outbox.add(Message {
            sequence,
            envelope: Arc::new(envelope),
            body: Body::Memory(Arc::new(body)),
            number,
            since,
            attempts: 0,
            refusals: 0,
            // Records of the buffer may join others of the buffer.
            open: number.is_some(),
            spooled: None,
            ticket,
        });
    }

    /// There is something new in a message that the disk may have to take.
    fn mark_unspooled(&mut self, since: Instant, sequence: u64) {
        if self.spool.is_some() {
            self.unspooled.push_back((since, sequence));
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Publish { envelope, body, ticket } => {
                self.add(envelope, body, None, now, Some(ticket));
                self.hurry(now);
            }
            Command::Flush { answer } => {
                self.flushes.push(FlushWaiter {
                    number: self.shared.buffer.next_number(),
                    sequence: self.outbox.last_sequence(),
                    answer,
                });
                self.next_collect = now;
            }
            // Handled where it arrives.
            Command::Stop { .. } => {}
            #[cfg(test)]
            Command::Fail => panic!("told to"),
        }
    }

    fn answer_flushes(&mut self) {
        if self.flushes.is_empty() {
            return;
        }
        let lost = self.routing.is_lost();
        let buffered = self.shared.buffer.oldest_number();
        let outbox = &self.outbox;
        self.flushes.retain(|waiter| {
            let waits = buffered.is_some_and(|oldest| oldest < waiter.number)
                || outbox.messages().any(|message| {
                    message.sequence <= waiter.sequence
                        || message.number.is_some_and(|number| number < waiter.number)
                });
            if waits && !lost {
                return true;
            }
            let _ = waiter.answer.try_send(!waits);
            false
        });
    }

    // --- Connection ----------------------------------------------------------------------

    fn connect(&mut self, now: Instant) {
        if let Connection::Down { until } = self.connection
            && until <= now
        {
            self.shared.counters.set_state(State::Connecting);
            let shared = Arc::clone(&self.shared);
            let opening = async move { Link::open(&shared.settings).await.map(Box::new) };
            self.connection = Connection::Opening(Box::pin(opening));
        }
    }

    fn handle(&mut self, happened: Happening) {
        match happened {
            Happening::Opened(Ok(link)) => self.opened(link),
            Happening::Opened(Err(failure)) => self.disconnect(&failure),
            Happening::Event(Some(Event::ConnectionBlocked(reason))) => {
                self.blocked = Some(Instant::now());
                self.shared.counters.set_state(State::Blocked);
                let text = format!("the broker takes no messages for now: {reason}");
                self.shared.failed("blocked", &text);
            }
            Happening::Event(Some(Event::ConnectionUnblocked)) => {
                self.blocked = None;
                self.last_answer = Instant::now();
                self.shared.counters.set_state(State::Connected);
            }
            Happening::Event(Some(Event::Error(error))) => {
                self.disconnect(&Failure::of_use(&error));
            }
            Happening::Event(Some(_)) => {}
            Happening::Event(None) => {
                self.disconnect(&Failure::Lost("connection closed".into()));
            }
        }
    }

    fn opened(&mut self, link: Box<Link>) {
        let now = Instant::now();
        self.connection = Connection::Up(link);
        self.blocked = None;
        self.last_answer = now;
        self.next_collect = now;
        self.shared.counters.set_state(State::Connected);
        if std::mem::replace(&mut self.was_up, true) {
            add(&self.shared.counters.reconnects, 1);
            let text = format!("connected to {} again", self.shared.settings.target());
            self.shared.notices.tell(Level::Info, "reconnected", &text);
        }
    }

    /// Somebody waits for an answer, and not for long.
    fn hurry(&mut self, now: Instant) {
        if let Connection::Down { until } = &mut self.connection {
            *until = now.min(*until);
        }
    }

    /// Gives the connection up; what was under way is sent again over the next one.
    fn disconnect(&mut self, failure: &Failure) {
        self.answers = Answers::new();
        self.returned.clear();
        self.blocked = None;
        self.outbox.put_all_back();
        let mut pause = self.backoff.next();
        if self.tickets > 0 {
            pause = pause.min(self.backoff.shortest());
        }
        self.connection = Connection::Down { until: Instant::now() + pause };
        self.shared.counters.set_state(State::Connecting);
        let kind = match failure {
            Failure::Unreachable(_) => "unreachable",
            Failure::Refused(_) => "refused by broker",
            Failure::Lost(_) => "lost",
        };
        let text = format!("no connection to RabbitMQ, records are kept meanwhile: {failure}");
        self.shared.failed(kind, &text);
    }

    fn check_deadlines(&mut self, now: Instant) {
        let settings = &self.shared.settings;
        if let Some(since) = self.blocked {
            if now.duration_since(since) >= settings.blocked_timeout {
                let text = format!("blocked for {:?}", settings.blocked_timeout);
                self.disconnect(&Failure::Lost(text));
            }
        } else if let Some(sent) = self.outbox.oldest_sent()
            && now.saturating_duration_since(sent.max(self.last_answer)) >= settings.stack_timeout
        {
            let text = format!("no answer from the broker for {:?}", settings.stack_timeout);
            self.disconnect(&Failure::Lost(text));
        }
        if self.tickets > 0 {
            self.withdraw_overdue(now);
        }
    }

    /// Tells publishers that waited long enough.
    fn withdraw_overdue(&mut self, now: Instant) {
        let overdue =
            |message: &Message| message.ticket.as_ref().is_some_and(|ticket| ticket.unsent <= now);
        for message in self.outbox.remove_waiting(overdue) {
            self.give_up(message, Reason::Withdrawn);
        }
        for message in self.outbox.sent_messages_mut() {
            // It may arrive all the same.
            if message.ticket.as_ref().is_some_and(|ticket| ticket.sent <= now)
                && let Some(ticket) = message.ticket.take()
            {
                self.tickets -= 1;
                ticket.answer(false);
            }
        }
    }

    // --- The end -------------------------------------------------------------------------

    fn give_up(&mut self, message: Message, reason: Reason) {
        self.shared.give_up(reason, message.records());
        // To a publisher, what the broker has taken is delivered, whoever receives it.
        self.forget(message, reason == Reason::Unroutable);
    }

    /// The end of a message.
    fn forget(&mut self, message: Message, delivered: bool) {
        subtract(&self.shared.counters.outstanding, message.records());
        self.unspool(&message);
        if let Some(ticket) = message.ticket {
            self.tickets -= 1;
            ticket.answer(delivered);
        }
    }

    /// True if nothing had to be given up.
    async fn stop(mut self) -> bool {
        self.answers = Answers::new();
        let now = Instant::now();
        self.outbox.put_all_back();
        self.leave_on_disk(now + self.shared.settings.stack_timeout).await;
        let lost = self.outbox.remove_waiting(|message| !message.is_durable());
        let mut records = lost.iter().map(Message::records).sum();
        for message in lost {
            self.forget(message, false);
        }
        while let Some((chunk, _)) = self.shared.buffer.take() {
            records += chunk.len() as u64;
        }
        self.shared.give_up(Reason::Closed, records);
        for message in self.outbox.remove_waiting(|_| true) {
            subtract(&self.shared.counters.outstanding, message.records());
        }
        if let Some(spool) = self.spool.take() {
            let _ = spawn_blocking(move || spool.finish()).await;
        }
        self.tell_counts();
        self.shared.counters.set_state(State::Closed);
        for waiter in self.flushes.drain(..) {
            let _ = waiter.answer.try_send(false);
        }
        // Last: nobody may have the time to wait for a broker that does not answer.
        if let Connection::Up(link) = self.connection {
            link.close(GOODBYE).await;
        }
        records == 0
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What a connection can come up with.
#[allow(clippy::large_enum_variant)]
enum Happening {
    Opened(Result<Box<Link>, Failure>),
    Event(Option<Event>),
}

async fn happening(connection: &mut Connection) -> Happening {
    match connection {
        Connection::Down { .. } => pending().await,
        Connection::Opening(opening) => Happening::Opened(opening.await),
        Connection::Up(link) => Happening::Event(link.event().await),
    }
}

async fn disk_done(spool: &mut Option<Spool>) -> Done {
    match spool {
        None => pending().await,
        Some(spool) => spool.done().await,
    }
}
