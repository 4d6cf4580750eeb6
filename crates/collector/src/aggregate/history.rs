//! The last day, in frames that get longer with age.
//!
//! Counting knows nothing of it. Each cut compares every series that has changed with what it was at
//! the cut before; the difference is a frame. So counting stays as fast as it is, a frame never
//! changes once it is there, and frames are summed up without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregate::exponential::Buckets;
use crate::aggregate::frame::{Calls, Frame};
use crate::aggregate::histogram::Histogram;

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Cuts come at least so far apart, and while no page is open so far.
pub(crate) const SHORTEST_MS: u64 = SECOND_MS;
const USUAL_MS: u64 = 10 * SECOND_MS;
/// From this age on, frames are joined to ones of this length: some 110 in all.
const STEPS: [(u64, u64); 4] = [
    (20 * SECOND_MS, 10 * SECOND_MS),
    (2 * MINUTE_MS, MINUTE_MS),
    (30 * MINUTE_MS, 10 * MINUTE_MS),
    (6 * HOUR_MS, HOUR_MS),
];
const LONGEST_MS: u64 = 24 * HOUR_MS;
/// Beyond so much memory the oldest frames go.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The clock of series and that of cuts are read at different moments.
const SLACK_MS: u64 = 2 * SECOND_MS;

/// What a series was at the last cut.
#[derive(Clone, Debug, Default)]
struct Before {
    id: u64,
    sum: f64,
    zero: u64,
    buckets: Buckets,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    frames: Vec<Arc<Frame>>,
    /// By the places of series.
    before: Vec<Before>,
    cut_ms: u64,
}

impl History {
    /// Begins with the first moment that is named.
    pub(crate) fn begin(&mut self, now_ms: u64) {
        if self.cut_ms == 0 {
            self.cut_ms = now_ms;
        }
    }

    /// Forgets all frames.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
    }

    /// Whether it is time for a cut.
    pub(crate) fn is_due(&self, now_ms: u64, is_watched: bool) -> bool {
        let length = if is_watched { SHORTEST_MS } else { USUAL_MS };
        // The clock may have been set back.
        now_ms < self.cut_ms || now_ms - self.cut_ms >= length
    }

    /// Whether a series may have changed since the last cut.
    pub(crate) fn may_differ(&self, updated_ms: u64, now_ms: u64) -> bool {
        now_ms < self.cut_ms || updated_ms + SLACK_MS >= self.cut_ms
    }

    /// What came to a series since the last cut; from now on that is known.
    pub(crate) fn difference(
        &mut self,
        place: u32,
        id: u64,
        histogram: &Histogram,
        failed: bool,
    ) -> Option<Calls> {
        let place = place as usize;
        if self.before.len() <= place {
            self.before.resize(place + 1, Before::default());
        }
        let before = &mut self.before[place];
        if before.id != id {
            *before = Before { id, ..Before::default() };
        }
        let now = calls_of(histogram, failed);
        let buckets = now.buckets.less(&before.buckets);
        let zero = now.zero.saturating_sub(before.zero);
        let calls = zero + buckets.total();
        if calls == 0 {
            return None;
        }
        let difference = Calls {
            calls,
            errors: if failed { calls } else { 0 },
            largest: 0,
            // Times are not negative, nor is what rounding leaves of them.
            total: (now.total - before.sum).max(0.0),
            zero,
            buckets,
        };
        *before = Before { id, sum: now.total, zero: now.zero, buckets: now.buckets };
        Some(difference)
    }

    /// Ends the frame that began with the last cut.
    pub(crate) fn cut(&mut self, now_ms: u64, calls: &BTreeMap<u32, Calls>) {
        let from_ms = self.cut_ms.min(now_ms);
        self.frames.push(Arc::new(Frame::new(from_ms, now_ms, calls)));
        self.cut_ms = now_ms;
        let mut bytes: usize = self.frames.iter().map(|frame| frame.bytes()).sum();
        let mut gone = 0;
        while let Some(frame) = self.frames.get(gone)
            && (frame.to_ms + LONGEST_MS < now_ms || bytes > MOST_BYTES)
        {
            bytes -= frame.bytes();
            gone += 1;
        }
        self.frames.drain(..gone);
    }

    /// Frames that are to become one.
    pub(crate) fn due_to_join(&self) -> Option<Vec<Arc<Frame>>> {
        for (age_ms, length_ms) in STEPS {
            let end_ms = self.cut_ms.saturating_sub(age_ms) / length_ms * length_ms;
            let period = |frame: &Frame| frame.to_ms.saturating_sub(1) / length_ms;
            let mut rest = &self.frames[..];
            while let Some(first) = rest.first().filter(|first| first.to_ms <= end_ms) {
                let same = rest
                    .iter()
                    .take_while(|frame| frame.to_ms <= end_ms && period(frame) == period(first));
                let count = same.count();
                if count > 1 {
                    return Some(rest[..count].to_vec());
                }
                rest = &rest[1..];
            }
        }
        None
    }

    /// Puts a frame in the place of those that it was made of, if they are still there.
    pub(crate) fn join(&mut self, old: &[Arc<Frame>], new: Frame) {
        let Some(first) = old.first() else { return };
        let Some(place) = self.frames.iter().position(|frame| Arc::ptr_eq(frame, first)) else {
            return;
        };
        let end = place + old.len();
        let same = self.frames.get(place..end).is_some_and(|frames| {
            frames.iter().zip(old).all(|(one, other)| Arc::ptr_eq(one, other))
        });
        if same {
            self.frames.splice(place..end, [Arc::new(new)]);
        }
    }

    /// Frames of which more than half lies in a span, oldest first.
    pub(crate) fn frames(&self, from_ms: u64, to_ms: u64) -> Vec<Arc<Frame>> {
        let middle = |frame: &Frame| frame.from_ms.midpoint(frame.to_ms);
        let inside = |frame: &&Arc<Frame>| (from_ms..to_ms).contains(&middle(frame));
        self.frames.iter().filter(inside).cloned().collect()
    }

    /// When the last frame ended.
    pub(crate) fn end_ms(&self) -> u64 {
        self.cut_ms
    }

    /// When the first frame began.
    pub(crate) fn begin_ms(&self) -> u64 {
        self.frames.first().map_or(self.cut_ms, |frame| frame.from_ms)
    }

    pub(crate) fn bytes(&self) -> usize {
        let frames: usize = self.frames.iter().map(|frame| frame.bytes()).sum();
        let before = |before: &Before| size_of::<Before>() + before.buckets.heap_bytes();
        frames + self.before.iter().map(before).sum::<usize>()
    }
}

/// All that a series has counted.
pub(crate) fn calls_of(histogram: &Histogram, failed: bool) -> Calls {
    let exponential = &histogram.exponential;
    // A time below zero is none.
    let zero = exponential.zero + exponential.negative.total();
    let calls = histogram.count();
    Calls {
        calls,
        errors: if failed { calls } else { 0 },
        largest: 0,
        total: histogram.sum,
        zero,
        buckets: exponential.positive.clone(),
    }
}
