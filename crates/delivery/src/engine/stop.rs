//! The end of the engine.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::engine::connection::Connection;
use crate::engine::state::{Answers, Engine};
use crate::messages::message::Message;
use crate::report::stats::{ConnectionState, DropReason, add, subtract};

/// How long closing the link may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the disk may take to remove files.
const REMOVE_TIMEOUT: Duration = Duration::from_millis(500);

impl Engine {
    /// True if no record had to be dropped.
    pub(super) async fn stop(mut self) -> bool {
        self.answers = Answers::new();
        let now = Instant::now();
        self.at_once(|engine| engine.outbox.put_all_back());
        self.save_everything(now + self.shared.settings.answer_timeout).await;
        let records = self.at_once(Self::give_up_what_is_left);
        if let Some(spool) = self.spool.take() {
            let _ = timeout(REMOVE_TIMEOUT, spool.finish()).await;
        }
        self.at_once(Self::update_stats);
        self.shared.counters.set_state(ConnectionState::Closed);
        for waiter in self.flush_waiters.drain(..) {
            let _ = waiter.reply.try_send(false);
        }
        // Last, since the process may end while the receiver does not answer.
        if let Connection::Up(link) =
            std::mem::replace(&mut self.connection, Connection::Down { until: now })
        {
            link.close(CLOSE_TIMEOUT).await;
        }
        self.shared.settings.connector.release().await;
        records == 0
    }

    /// Drops what is nowhere but in memory, and leaves the rest on disk, though it be a part of a
    /// message; returns how many records were dropped.
    fn give_up_what_is_left(&mut self) -> u64 {
        let spool = self.spool.as_ref();
        let is_missing = |spooled| spool.is_some_and(|spool| spool.is_missing(spooled));
        let kept = |message: &Message| {
            let spooled = message.spooled.filter(|spooled| !is_missing(*spooled));
            spooled.map_or(0, |spooled| u64::from(spooled.written_records))
        };
        let lost = self.outbox.remove_waiting(|message| kept(message) == 0);
        let left = self.outbox.remove_waiting(|_| true);
        let left: Vec<_> = left.iter().map(|message| (message.records(), kept(message))).collect();
        let mut records = lost.iter().map(Message::records).sum();
        for message in lost {
            self.end_message(message, false);
        }
        while let Some((chunk, _)) = self.shared.buffer.take() {
            records += chunk.len() as u64;
        }
        // Their file is kept, and the process that adopts it finds the pieces that were written.
        records += left.iter().map(|(outstanding, kept)| outstanding - kept).sum::<u64>();
        self.shared.count_dropped(DropReason::Closed, records);
        let counters = &self.shared.counters;
        for (outstanding, kept) in left {
            subtract(&counters.outstanding, outstanding);
            add(&counters.left, kept);
        }
        records
    }
}
