//! The caller's side of a handler: hands records over and asks the engine for flushes, single
//! messages and its end.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flume::Receiver;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::engine::{Command, Engine};
use crate::link::envelope::Envelope;
use crate::messages::confirm_waiter::ConfirmWaiter;
use crate::messages::message::Message;
use crate::messages::outbox::Outbox;
use crate::process::waking::Quiet;
use crate::records::chunk::Chunk;
use crate::report::log_queue::{LogLevel, LogLine};
use crate::report::stats::{ConnectionState, DropReason, Stats, subtract};
use crate::settings::Settings;
use crate::shared::Shared;

/// Hands records over and never waits for the network.
///
/// Replies come through a [`Receiver`], for which a thread can wait with a timeout
/// (`recv_timeout`) and a task without polling (`into_recv_async`). It can be dropped at any time;
/// it is disconnected if the engine ends without a reply.
///
/// A sender belongs to one process: a forked child makes a new one and leaves the inherited one
/// alone, without dropping it. Dropping the last handle ends the engine, which delivers what it
/// can before.
pub struct Sender {
    shared: Arc<Shared>,
    commands: Mutex<Option<UnboundedSender<Command>>>,
}

impl Sender {
    /// Starts nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { shared: Arc::new(Shared::new(settings)), commands: Mutex::new(None) }
    }

    /// Starts the engine on a runtime, unless it is running. `runtime` gives the runtime's handle
    /// and a value to keep until the engine has ended; it is not called if the engine is running.
    ///
    /// # Errors
    /// Those of `runtime`.
    pub fn start<K: Send + 'static>(
        &self,
        runtime: impl FnOnce() -> io::Result<(Handle, K)>,
    ) -> io::Result<()> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if commands.as_ref().is_some_and(|commands| !commands.is_closed()) {
            return Ok(());
        }
        let (handle, kept) = runtime()?;
        let (sender, receiver) = unbounded_channel();
        let engine = Engine::new(Arc::clone(&self.shared), receiver);
        self.shared.abandoned.store(false, Ordering::Release);
        self.shared.counters.set_state(ConnectionState::Connecting);
        handle.spawn(Quiet::new(async move {
            engine.run().await;
            drop(kept);
        }));
        *commands = Some(sender);
        Ok(())
    }

    /// True if the engine that was started last has ended.
    pub fn is_abandoned(&self) -> bool {
        self.shared.abandoned.load(Ordering::Relaxed)
    }

    /// True if the engine was started and not stopped.
    pub fn is_started(&self) -> bool {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| !commands.is_closed())
    }

    /// Lets `fill` add records.
    pub fn push(&self, fill: impl FnOnce(&mut Chunk)) {
        if self.shared.buffer.push(fill) {
            self.shared.log_dropped(DropReason::Full, self.shared.buffer.counts().dropped);
        }
    }

    /// Drops the records in the buffer, which came too late to be delivered.
    pub fn drop_late_records(&self) {
        let records = self.drop_buffer();
        let text = format!("{records} records dropped: they came while the interpreter was ending");
        self.shared.log_queue.push(LogLevel::Info, "late", &text);
    }

    /// Drops the records of a handler that is closed and whose engine could not be started; true if
    /// there was none.
    pub fn drop_undelivered(&self) -> bool {
        let records = self.drop_buffer() + self.drop_orphans();
        if records > 0 {
            self.shared.log_dropped(DropReason::Closed, records);
        }
        records == 0
    }

    fn drop_buffer(&self) -> u64 {
        let _moment = self.shared.counters.moment();
        let mut records = 0;
        while let Some((chunk, _)) = self.shared.buffer.take() {
            records += chunk.len() as u64;
        }
        self.shared.buffer.note_if_empty();
        self.shared.counters.add_dropped(DropReason::Closed, records);
        records
    }

    fn drop_orphans(&self) -> u64 {
        let counters = &self.shared.counters;
        let _moment = counters.moment();
        let orphans = self.shared.orphans.lock().unwrap_or_else(PoisonError::into_inner).take();
        let records = orphans.iter().flat_map(Outbox::messages).map(Message::records).sum();
        subtract(&counters.outstanding, records);
        counters.add_dropped(DropReason::Closed, records);
        records
    }

    /// Notes and logs why the engine cannot be started; records wait meanwhile.
    pub fn not_started(&self, error: &io::Error) {
        let text = format!("cannot start the background thread of phanos, records wait: {error}");
        self.shared.log_error("not started", &text);
    }

    /// At the end of the process, if the engine did not end in time, as when its disk does not
    /// answer: counts and logs the records that are neither confirmed nor on disk.
    pub fn give_up(&self) {
        if matches!(self.state(), ConnectionState::Idle | ConnectionState::Closed) {
            return;
        }
        let stats = self.stats();
        let lost = (stats.queued + stats.in_flight).saturating_sub(stats.spooled);
        if lost == 0 {
            return;
        }
        self.shared.counters.add_dropped(DropReason::Closed, lost);
        let text = format!("{lost} records dropped: no time to deliver them or to write them down");
        self.shared.log_queue.push(LogLevel::Warning, "given up", &text);
    }

    /// Leaves a line for a caller to log.
    pub fn warn(&self, text: &str) {
        self.shared.log_queue.push(LogLevel::Warning, text, text);
    }

    /// Sends a message on its own: `body` is a JSON array of `records` records. The reply is
    /// whether the receiver confirmed it. It is withdrawn if it was not sent by `send_deadline`;
    /// the reply is false if it was not confirmed by `confirm_deadline`. `None` if the engine is
    /// not running.
    pub fn publish(
        &self,
        routing_key: &str,
        records: u32,
        body: Vec<u8>,
        send_deadline: Instant,
        confirm_deadline: Instant,
    ) -> Option<Receiver<bool>> {
        let envelope = Envelope {
            id: "".into(),
            routing_key: routing_key.into(),
            metric: "".into(),
            worker: self.shared.worker.clone(),
            records,
        };
        let (waiter, reply) = ConfirmWaiter::new(send_deadline, confirm_deadline);
        self.command(Command::Publish { envelope, body, waiter }).then_some(reply)
    }

    /// The reply is true when every record handed over so far is confirmed or dropped, and false
    /// if records wait for consumers to come back. `None` if the engine is not running.
    pub fn flush(&self) -> Option<Receiver<bool>> {
        let (reply, receiver) = flume::bounded(1);
        self.command(Command::Flush { reply }).then_some(receiver)
    }

    /// The reply is true when a link is up, and false when the attempt to open one has failed.
    /// `None` if the engine is not running.
    pub fn connected(&self) -> Option<Receiver<bool>> {
        let (reply, receiver) = flume::bounded(1);
        self.command(Command::Connect { reply }).then_some(receiver)
    }

    /// Ends the engine. The reply comes when it has ended: true if no record had to be dropped.
    /// `None` if the engine is not running.
    pub fn stop(&self) -> Option<Receiver<bool>> {
        let (reply, receiver) = flume::bounded(1);
        let stopping = self.command(Command::Stop { reply });
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = None;
        stopping.then_some(receiver)
    }

    /// False if the engine is not running.
    fn command(&self, command: Command) -> bool {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }

    /// True if no record waits for an engine that has not been started.
    pub fn is_empty(&self) -> bool {
        let orphans = self.shared.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.buffer.records() == 0 && orphans.is_none()
    }

    /// The counts of one moment: records handed over and adopted are as many as those confirmed,
    /// dropped, queued, in flight and left. May wait for some milliseconds.
    pub fn stats(&self) -> Stats {
        let age = self.shared.oldest_age();
        let _moment = self.shared.counters.moment();
        self.shared.counters.snapshot(&self.shared.buffer.counts(), age)
    }

    pub fn state(&self) -> ConnectionState {
        self.shared.counters.state()
    }

    /// True if there are lines to log.
    pub fn has_log_lines(&self) -> bool {
        self.shared.log_queue.is_filled()
    }

    /// The lines to log, oldest first.
    pub fn take_log_lines(&self) -> Vec<LogLine> {
        self.shared.log_queue.take()
    }
}
