//! What is taken from the aggregate at one moment, so that the rest needs no lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::frame::{Calls, Frame};
use crate::tree::window::Window;

/// What a client wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `None`: the job with most series.
    pub job: Option<String>,
    pub window: Window,
    /// A second window to compare with.
    pub compare: Option<Window>,
}

/// The calls of one window.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) asked: Window,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    calls: BTreeMap<u32, Calls>,
    frames: Vec<Arc<Frame>>,
}

#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) generation: u64,
    pub(crate) job: String,
    /// Jobs and how many series each has.
    pub(crate) jobs: Vec<(String, usize)>,
    /// When the oldest frame began.
    pub(crate) begin_ms: u64,
    pub(crate) now_ms: u64,
    pub(crate) new_paths: Vec<(u32, Arc<str>)>,
    /// The number of paths of all jobs.
    pub(crate) paths: u32,
    own: Vec<bool>,
    pub(crate) window: Part,
    pub(crate) compare: Option<Part>,
}

impl Look {
    /// Looks at the moment of the last cut. `known`: what the one who asks was told before:
    /// generation, job, and the number of paths.
    pub(crate) fn new(
        aggregate: &Aggregate,
        asked: &Asked,
        known: Option<(u64, &str, u32)>,
    ) -> Self {
        let jobs: Vec<(String, usize)> =
            aggregate.jobs().map(|(job, series)| (job.to_owned(), series)).collect();
        let largest = || jobs.iter().max_by_key(|(_, series)| *series).map(|(job, _)| job.clone());
        let job = asked.job.clone().or_else(largest).unwrap_or_default();
        let place = aggregate.job(&job).unwrap_or(u32::MAX);
        let generation = aggregate.generation();
        let known = known.filter(|(other, name, _)| *other == generation && *name == job);
        let own = aggregate.paths_of(place);
        let (begin_ms, now_ms) = aggregate.history();
        let part = |window: Window| match window.span(now_ms) {
            None => {
                let (from_ms, calls) = aggregate.all_calls(place);
                let from_ms = from_ms.min(now_ms);
                Part { asked: window, from_ms, to_ms: now_ms, calls, frames: Vec::new() }
            }
            Some((from_ms, to_ms)) => {
                let frames = aggregate.frames(from_ms, to_ms);
                // What the frames cover, which are longer than a second.
                let from_ms = frames.first().map_or(from_ms, |frame| frame.from_ms);
                let to_ms = frames.last().map_or(to_ms, |frame| frame.to_ms);
                Part { asked: window, from_ms, to_ms, calls: BTreeMap::new(), frames }
            }
        };
        Self {
            generation,
            new_paths: aggregate.named_paths(place, known.map_or(0, |(_, _, paths)| paths)),
            paths: u32::try_from(own.len()).unwrap_or(u32::MAX),
            own,
            begin_ms,
            now_ms,
            window: part(asked.window),
            compare: asked.compare.map(part),
            job,
            jobs,
        }
    }

    /// The calls of the window and of the one that it is compared with, by path.
    pub(crate) fn calls(&mut self) -> BTreeMap<u32, (Calls, Calls)> {
        let own = std::mem::take(&mut self.own);
        let is_own = |path: u32| own.get(path as usize).is_some_and(|is_own| *is_own);
        let mut both: BTreeMap<u32, (Calls, Calls)> = BTreeMap::new();
        for (path, calls) in self.window.sum(is_own) {
            both.entry(path).or_default().0 = calls;
        }
        if let Some(compare) = &mut self.compare {
            for (path, calls) in compare.sum(is_own) {
                both.entry(path).or_default().1 = calls;
            }
        }
        both
    }
}

impl Part {
    fn sum(&mut self, is_own: impl Fn(u32) -> bool) -> BTreeMap<u32, Calls> {
        let mut calls = std::mem::take(&mut self.calls);
        for frame in std::mem::take(&mut self.frames) {
            frame.add_to(&mut calls, &is_own);
        }
        calls
    }
}
