//! A handler's way to its broker: the caller's side.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::chunk::Chunk;
use super::engine::{Command, Engine};
use super::message::Envelope;
use super::notices::{Level, Notice};
use super::settings::Settings;
use super::shared::Shared;
use super::stats::{Reason, State, Stats};
use super::ticket::Ticket;

/// Hands records over and never waits for the network.
///
/// Belongs to one process: in a forked child a new one is made, and the inherited one is
/// left alone, not even dropped. Dropping the last handle ends the network side, which
/// delivers what it can before.
pub struct Sender {
    shared: Arc<Shared>,
    commands: Mutex<Option<UnboundedSender<Command>>>,
}

impl Sender {
    /// Nothing is started yet.
    pub fn new(settings: Settings) -> Self {
        Self { shared: Arc::new(Shared::new(settings)), commands: Mutex::new(None) }
    }

    /// Starts the network side on the runtime of `runtime`, unless it runs. What comes with
    /// the runtime is kept until the network side has ended.
    ///
    /// # Errors
    /// Those of `runtime`, which is not asked if the network side runs.
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
        self.shared.counters.set_state(State::Connecting);
        let engine = Engine::new(Arc::clone(&self.shared), receiver);
        handle.spawn(async move {
            engine.run().await;
            drop(kept);
        });
        *commands = Some(sender);
        Ok(())
    }

    /// True if the network side was started and not stopped.
    pub fn is_started(&self) -> bool {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| !commands.is_closed())
    }

    /// Lets `fill` put records down.
    pub fn push(&self, fill: impl FnOnce(&mut Chunk)) {
        let dropped = self.shared.buffer.push(fill);
        self.shared.give_up(Reason::Full, dropped);
    }

    /// Gives up what nobody will deliver any more.
    pub fn give_up_late(&self) {
        let mut records = 0;
        while let Some((chunk, _)) = self.shared.buffer.take() {
            records += chunk.len() as u64;
        }
        self.shared.counters.drop(Reason::Closed, records);
        let text = format!("{records} records dropped: they came while the interpreter was ending");
        self.shared.notices.tell(Level::Info, "late", &text);
    }

    /// Sends one message of `records` records, a JSON array, on its own; the receiver gets
    /// whether the broker has it. It is taken back if it was not sent by `unsent`, and given
    /// up if the broker does not answer by `sent`. `None` if the network side is not started.
    pub fn publish(
        &self,
        routing_key: &str,
        records: u32,
        body: Vec<u8>,
        unsent: Instant,
        sent: Instant,
    ) -> Option<Receiver<bool>> {
        let envelope = Envelope {
            id: "".into(),
            routing_key: routing_key.into(),
            metric: "".into(),
            worker: self.shared.worker.clone(),
            records,
        };
        let (ticket, answer) = Ticket::new(unsent, sent);
        self.command(Command::Publish { envelope, body, ticket }).then_some(answer)
    }

    /// The receiver gets true when nothing handed over so far waits any longer, and false if
    /// it waits for consumers to come back. `None` if the network side is not started.
    pub fn flush(&self) -> Option<Receiver<bool>> {
        let (answer, answered) = sync_channel(1);
        self.command(Command::Flush { answer }).then_some(answered)
    }

    /// Ends the network side; the receiver gets word when that is done: true if nothing had
    /// to be given up.
    pub fn stop(&self) -> Option<Receiver<bool>> {
        let (answer, answered) = sync_channel(1);
        let stopping = self.command(Command::Stop { answer });
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = None;
        stopping.then_some(answered)
    }

    fn command(&self, command: Command) -> bool {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }

    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// True if nothing is buffered that the network side has not seen.
    pub fn is_buffer_empty(&self) -> bool {
        self.shared.buffer.records() == 0
    }

    pub fn stats(&self) -> Stats {
        let age = self.shared.oldest_age();
        self.shared.counters.snapshot(self.shared.buffer.records(), age)
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.shared.counters.state()
    }

    /// Notes something to be logged.
    pub fn tell(&self, kind: &str, text: &str) {
        self.shared.notices.tell(Level::Warning, kind, text);
    }

    /// True if there is something to log.
    pub fn has_notices(&self) -> bool {
        self.shared.notices.waiting()
    }

    /// Lines to log.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.shared.notices.take()
    }
}

/// How often whoever waits for the network looks whether it should stop waiting.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);
