//! The call tree, for pages and `phanos top`.

use std::sync::atomic::Ordering;

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::frame::Frame;
use crate::hub::clock::now_ms;
use crate::hub::condition::BrokerState;
use crate::hub::shared::Hub;
use crate::tree::answer::{Told, quoted};
use crate::tree::look::{Asked, Look};
use crate::tree::spread::spread;

/// A worker that was heard of within this time is at work.
const AT_WORK_MS: u64 = 60_000;

impl Hub {
    /// What has changed since `told`, as JSON; messages wait while it is looked at, not while it
    /// is written.
    pub fn calls(&self, asked: &Asked, told: &mut Told) -> String {
        let now_ms = now_ms();
        let (look, status) = self.change(|aggregate| {
            aggregate.cut(now_ms, true);
            (Look::new(aggregate, asked, told.known()), self.status(aggregate, now_ms))
        });
        told.tell(look, &status)
    }

    /// How long calls of the paths took that have `text` in their name, as JSON.
    pub(crate) fn spread(&self, asked: &Asked, text: &str) -> String {
        let now_ms = now_ms();
        let look = self.change(|aggregate| {
            aggregate.cut(now_ms, true);
            Look::new(aggregate, asked, None)
        });
        spread(look, text)
    }

    pub(crate) fn has_frames_to_join(&self) -> bool {
        self.look(|aggregate| aggregate.due_to_join().is_some())
    }

    /// Joins frames of the history that are old enough.
    pub(crate) fn join_frames(&self) {
        while let Some(frames) = self.look(Aggregate::due_to_join) {
            let joined = Frame::joined(&frames);
            self.change(|aggregate| aggregate.join_frames(&frames, joined));
        }
    }

    fn status(&self, aggregate: &Aggregate, now_ms: u64) -> String {
        let tally = aggregate.tally();
        let bad: u64 = tally.bad().map(|(_, count)| count).sum();
        let broker = match self.condition.broker() {
            BrokerState::None => "none",
            BrokerState::Connecting => "connecting",
            BrokerState::Consuming => "consuming",
        };
        let options = aggregate.options();
        format!(
            "{{\"version\":\"{}\",\"started\":{},\"broker\":\"{broker}\",\"local\":{},\"unready\":{},\
             \"workers\":{},\"records\":{},\"bad\":{bad},\"overflowed\":{},\"unnumbered\":{},\
             \"max_series\":{},\"job_label\":{}}}",
            env!("CARGO_PKG_VERSION"),
            self.started_ms(),
            self.condition.local_connections.load(Ordering::Relaxed),
            self.condition.unready().map_or("null".to_owned(), quoted),
            aggregate.workers_since(now_ms.saturating_sub(AT_WORK_MS)),
            tally.records,
            tally.overflowed,
            tally.unnumbered,
            options.max_series,
            quoted(&options.job_label),
        )
    }
}
