//! Step after step until the end. A step that panics, by a mistake in this crate or in a library,
//! costs the link and no record: messages are kept and sent over the next link.

use std::any::Any;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use flume::Sender;
use futures_util::FutureExt;
use futures_util::stream::StreamExt;
use tokio::time::{sleep, sleep_until};

use crate::disk::spool::{Spool, SpoolEvent};
use crate::engine::command::Command;
use crate::engine::connection::Connection;
use crate::engine::state::Engine;
use crate::link::failure::Failure;

/// After a step that panicked, lest steps that always do take all of the processor.
const PANIC_PAUSE: Duration = Duration::from_millis(100);
/// When no record has come for this time, the engine sleeps until a caller wakes it.
const SLEEP_AFTER: Duration = Duration::from_secs(1);
/// How long messages may still be delivered when the last handle is dropped.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an engine that is stopped goes on while the receiver takes messages: what is in flight
/// would travel again, and what a process ends with no time for would wait for ever.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(250);

enum Step {
    /// Another one follows.
    Done,
    /// A caller wants the end, and a reply.
    Stopped(Sender<bool>),
}

impl Engine {
    /// Works until a caller stops it, or no caller is left.
    pub(crate) async fn run(mut self) {
        let mut stopped = None;
        while !self.is_at_end(stopped.is_some(), Instant::now()) {
            match AssertUnwindSafe(self.step()).catch_unwind().await {
                Ok(Step::Done) => {}
                Ok(Step::Stopped(reply)) => {
                    stopped = Some(reply);
                    self.end_deadline = Some(Instant::now() + DRAIN_TIMEOUT);
                }
                Err(panic) => {
                    let text =
                        format!("phanos itself failed, please report it: {}", panic_text(&*panic));
                    self.at_once(|engine| engine.disconnect(&Failure::Lost(text)));
                    sleep(PANIC_PAUSE).await;
                }
            }
        }
        let all_kept = self.stop().await;
        if let Some(reply) = stopped {
            let _ = reply.try_send(all_kept);
        }
    }

    /// True if nothing more can or may be delivered, and no caller will come. `stopped`: one waits
    /// for the end.
    fn is_at_end(&self, stopped: bool, now: Instant) -> bool {
        let Some(end) = self.end_deadline else { return false };
        let adopting = stopped && self.spool.as_ref().is_some_and(Spool::is_adopting);
        end <= now || (self.is_done() && !adopting) || (stopped && !self.gets_answers(now))
    }

    /// True if the receiver takes messages, as far as can be told.
    fn gets_answers(&self, now: Instant) -> bool {
        let last = self.outbox.oldest_sent().map(|sent| sent.max(self.last_answer));
        self.connection.is_up()
            && self.blocked_since.is_none()
            && self.send_pause <= now
            && !self.routing.is_lost()
            && last.is_none_or(|last| now.saturating_duration_since(last) < DRAIN_TIMEOUT)
    }

    /// Does everything that is due, then waits for one event and handles it.
    async fn step(&mut self) -> Step {
        let now = Instant::now();
        self.at_once(|engine| {
            engine.collect(now);
            engine.drive_spool(now);
            engine.connect(now);
            engine.send(now);
            engine.ask_for_answers();
            // Before replies: a caller that has flushed may read the statistics at once.
            engine.update_stats();
        });
        self.reply_to_flushes();
        if let Some(reply) = self.wait(now).await {
            return Step::Stopped(reply);
        }
        let now = Instant::now();
        self.at_once(|engine| {
            engine.check_link_deadlines(now);
            engine.check_confirm_deadlines(now);
        });
        Step::Done
    }

    /// Waits for one event and handles it; `Some` if a caller wants the end.
    async fn wait(&mut self, now: Instant) -> Option<Sender<bool>> {
        let mut wake_at = self.next_deadline(now);
        let wants_records = self.wants_records();
        if wants_records {
            if now.duration_since(self.last_record) < SLEEP_AFTER {
                wake_at = earlier(wake_at, Some(self.next_collect));
            } else if !self.shared.buffer.fall_asleep() {
                wake_at = Some(now);
            }
        }
        tokio::select! {
            biased;
            command = self.commands.recv(), if self.end_deadline.is_none() => match command {
                None => {
                    self.end_deadline = Some(now + END_TIMEOUT);
                    self.next_collect = now;
                }
                Some(Command::Stop { reply }) => return Some(reply),
                Some(command) => self.at_once(|engine| engine.handle_command(command)),
            },
            Some(answered) = self.answers.next(), if !self.answers.is_empty() => {
                self.at_once(|engine| engine.settle(answered));
            }
            event = self.connection.event() => {
                self.at_once(|engine| engine.handle_connection(event));
            }
            event = spool_event(&mut self.spool) => {
                self.at_once(|engine| engine.handle_spool(event));
            }
            () = self.shared.buffer.woken(), if wants_records => self.next_collect = now,
            () = sleep_until(wake_at.unwrap_or(now).into()), if wake_at.is_some() => {}
        }
        None
    }

    /// When something is due of which no event will tell.
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let settings = &self.shared.settings;
        let mut next = match self.connection {
            Connection::Down { until } => Some(until),
            _ => None,
        };
        if let Some(since) = self.blocked_since {
            next = earlier(next, Some(since + settings.blocked_timeout));
        } else if let Some(sent) = self.outbox.oldest_sent() {
            next = earlier(next, Some(sent.max(self.last_answer) + settings.answer_timeout));
        }
        if self.outbox.waiting() > 0 && self.connection.is_up() {
            // Times in the past are left out: what holds sending up then (a full window, a probe
            // in flight) ends with an answer.
            let held_up = [Some(self.send_pause), self.routing.next_probe()];
            for until in held_up.into_iter().flatten().filter(|until| *until > now) {
                next = earlier(next, Some(until));
            }
        }
        if self.confirm_waiters > 0 {
            next = earlier(next, self.outbox.next_waiter_deadline());
        }
        earlier(earlier(next, self.spool_deadline(now)), self.end_deadline)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The next event of the spool; waits for ever without one.
async fn spool_event(spool: &mut Option<Spool>) -> SpoolEvent {
    match spool {
        None => pending().await,
        Some(spool) => spool.event().await,
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
