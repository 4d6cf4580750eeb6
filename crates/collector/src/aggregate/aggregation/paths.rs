//! Calls by path, now and in times that are over.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::frame::{Calls, Frame};
use crate::aggregate::histogram::Histogram;
use crate::aggregate::history::{SHORTEST_MS, calls_of};
use crate::aggregate::labels::read_labels;
use crate::aggregate::paths::{NO_PATH, PathOf, Paths};
use crate::aggregate::series::{Data, Series};

/// The family of the times that calls took.
const TIMES: &str = "phanos_time_profiler_seconds";
/// Paths of series that are gone are kept until there are so many more paths than series.
const SPARE_PATHS: usize = 10_000;

/// One path: its place, which stays, and its name, such as `Orders:get.load`.
pub(crate) type NamedPath = (u32, Arc<str>);

impl Aggregate {
    pub(crate) fn path_of(&mut self, family: u32, job: u32, labels: &str) -> PathOf {
        if *self.families.get(family).name != *TIMES {
            return PathOf::NONE;
        }
        let mut path = NO_PATH;
        let mut failed = false;
        for (name, value) in read_labels(labels) {
            match name {
                "method" => path = self.paths.enter(job, &value),
                "error_raised" => failed = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        PathOf { path, failed }
    }

    /// Takes what a series has counted as known: it was counted before the start.
    pub(crate) fn know(&mut self, place: u32) {
        if let Some((series, histogram)) = self.table.get(place).and_then(timed) {
            self.history.difference(place, series.id, histogram, series.path.failed);
        }
    }

    /// Notes what has come since the last time, if it is time to. `is_watched`: a page is open.
    pub fn cut(&mut self, now_ms: u64, is_watched: bool) {
        self.history.begin(now_ms);
        if !self.history.is_due(now_ms, is_watched) {
            return;
        }
        let mut sums: BTreeMap<u32, Calls> = BTreeMap::new();
        let Some(family) = self.families.place(TIMES) else {
            return self.history.cut(now_ms, &sums);
        };
        for place in &self.families.get(family).series {
            let Some((series, histogram)) = self.table.get(*place).and_then(timed) else {
                continue;
            };
            if !self.history.may_differ(series.updated_ms, now_ms) {
                continue;
            }
            let PathOf { path, failed } = series.path;
            if let Some(calls) = self.history.difference(*place, series.id, histogram, failed) {
                sums.entry(path).or_default().add(&calls);
            }
        }
        for (path, calls) in &mut sums {
            calls.largest = u64::from(self.paths.take_largest(*path));
        }
        self.history.cut(now_ms, &sums);
    }

    /// Begins anew with the paths that there are if many more are kept: a series that expires
    /// leaves its path behind. Few have histograms expire.
    pub(crate) fn forget_paths(&mut self) {
        if self.paths.len() <= 2 * self.table.len() + SPARE_PATHS {
            return;
        }
        self.paths = Paths::default();
        self.history.clear();
        self.generation += 1;
        let places: Vec<u32> = self.table.iter().map(|(place, _)| place).collect();
        for place in places {
            let Some(series) = self.table.get(place) else { continue };
            let (family, job, labels) = (series.family, series.job, series.labels.clone());
            let path = self.path_of(family, job, &labels);
            if let Some(series) = self.table.get_mut(place) {
                series.path = path;
            }
        }
    }

    /// Changes when paths get other places.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The place of a job.
    pub fn job(&self, name: &str) -> Option<u32> {
        self.jobs.find(name)
    }

    /// When the first frame began and the last one ended, in milliseconds of the epoch.
    pub fn history(&self) -> (u64, u64) {
        (self.history.begin_ms(), self.history.end_ms())
    }

    /// How long a look at now may be old.
    pub const FRESH_MS: u64 = SHORTEST_MS;

    /// The frames of a time, oldest first.
    pub fn frames(&self, from_ms: u64, to_ms: u64) -> Vec<Arc<Frame>> {
        self.history.frames(from_ms, to_ms)
    }

    /// Frames that are to become one, which [`Self::join_frames`] takes.
    pub fn due_to_join(&self) -> Option<Vec<Arc<Frame>>> {
        self.history.due_to_join()
    }

    pub fn join_frames(&mut self, old: &[Arc<Frame>], new: Frame) {
        self.history.join(old, new);
    }

    /// All calls of a job, and since when they were counted.
    pub fn all_calls(&self, job: u32) -> (u64, BTreeMap<u32, Calls>) {
        let mut sums: BTreeMap<u32, Calls> = BTreeMap::new();
        let mut since_ms = u64::MAX;
        let Some(family) = self.families.place(TIMES) else { return (0, sums) };
        let places = &self.families.get(family).series;
        for (series, histogram) in places.iter().filter_map(|place| timed(self.table.get(*place)?))
        {
            if series.job != job {
                continue;
            }
            since_ms = since_ms.min(series.created_ms);
            let PathOf { path, failed } = series.path;
            let calls = sums.entry(path).or_default();
            calls.add(&calls_of(histogram, failed));
            calls.largest = u64::from(self.paths.largest_ever(path));
        }
        (since_ms, sums)
    }

    /// The paths of a job from a place on.
    pub(crate) fn named_paths(&self, job: u32, from: u32) -> Vec<NamedPath> {
        let names = (0..).zip(self.paths.names()).skip(from as usize);
        let own = names.filter(|(_, (other, _))| *other == job);
        own.map(|(place, (_, name))| (place, Arc::clone(name))).collect()
    }

    /// The names of all paths of a job, in the order of their places; others are empty.
    pub fn path_names(&self, job: u32) -> Vec<Arc<str>> {
        let own = |(other, name): (u32, &Arc<str>)| {
            if other == job { Arc::clone(name) } else { "".into() }
        };
        self.paths.names().map(own).collect()
    }

    /// For each path whether it is one of a job's.
    pub fn paths_of(&self, job: u32) -> Vec<bool> {
        self.paths.names().map(|(other, _)| other == job).collect()
    }

    /// How many workers were heard of since a moment.
    pub fn workers_since(&self, since_ms: u64) -> usize {
        self.workers.seen_since(since_ms)
    }
}

/// A series that counts times, and its histogram.
fn timed(series: &Series) -> Option<(&Series, &Histogram)> {
    match &series.data {
        Data::Histogram(histogram) if series.path.path != NO_PATH => Some((series, histogram)),
        _ => None,
    }
}
