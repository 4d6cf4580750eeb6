//! The caller's side of a handler: hands records over and asks the engine for flushes, single
//! messages and its end.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flume::Receiver;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::engine::{Command, Engine};
use crate::link::envelope::Envelope;
use crate::messages::confirm_waiter::ConfirmWaiter;
use crate::records::chunk::Chunk;
use crate::report::log_queue::{LogLevel, LogLine};
use crate::report::stats::{ConnectionState, DropReason, Stats};
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
        self.shared.counters.set_state(ConnectionState::Connecting);
        let engine = Engine::new(Arc::clone(&self.shared), receiver);
        handle.spawn(async move {
            engine.run().await;
            drop(kept);
        });
        *commands = Some(sender);
        Ok(())
    }

    /// True if the engine was started and not stopped.
    pub fn is_started(&self) -> bool {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| !commands.is_closed())
    }

    /// Lets `fill` add records.
    pub fn push(&self, fill: impl FnOnce(&mut Chunk)) {
        let dropped = self.shared.buffer.push(fill);
        self.shared.count_dropped(DropReason::Full, dropped);
    }

    /// Drops the records in the buffer, which came too late to be delivered.
    pub fn drop_late_records(&self) {
        let mut records = 0;
        while let Some((chunk, _)) = self.shared.buffer.take() {
            records += chunk.len() as u64;
        }
        self.shared.counters.add_dropped(DropReason::Closed, records);
        let text = format!("{records} records dropped: they came while the interpreter was ending");
        self.shared.log_queue.push(LogLevel::Info, "late", &text);
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

    /// True if the engine has taken all records out of the buffer.
    pub fn is_buffer_empty(&self) -> bool {
        self.shared.buffer.records() == 0
    }

    pub fn stats(&self) -> Stats {
        let age = self.shared.oldest_age();
        self.shared.counters.snapshot(self.shared.buffer.records(), age)
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
