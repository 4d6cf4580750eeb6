//! The aggregate: counts messages, shows series, hands out what is to be stored.

mod counting;
mod paths;
mod showing;
mod storing;

use std::time::Duration;

use crate::aggregate::family::{Families, Family};
use crate::aggregate::heads::Heads;
use crate::aggregate::history::History;
use crate::aggregate::jobs::Jobs;
use crate::aggregate::options::Options;
use crate::aggregate::paths::Paths;
use crate::aggregate::series::{Data, Series};
use crate::aggregate::table::Table;
use crate::aggregate::tally::Tally;
use crate::aggregate::worker::{UNKNOWN_WORKER, Workers};

/// All that was counted. Times are milliseconds of the epoch, given by the caller.
#[derive(Debug)]
pub struct Aggregate {
    options: Options,
    families: Families,
    jobs: Jobs,
    table: Table,
    heads: Heads,
    workers: Workers,
    tally: Tally,
    paths: Paths,
    history: History,
    /// How often all paths got other places.
    generation: u64,
    /// Places of series that are not stored as they are.
    changed: Vec<u32>,
    /// Ids of series that are gone and still stored.
    removed: Vec<u64>,
}

impl Aggregate {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            families: Families::default(),
            jobs: Jobs::default(),
            table: Table::default(),
            heads: Heads::default(),
            workers: Workers::default(),
            tally: Tally::default(),
            paths: Paths::default(),
            history: History::default(),
            generation: 0,
            changed: Vec::new(),
            removed: Vec::new(),
        }
    }

    fn add_series(&mut self, series: Series) -> u32 {
        let family = series.family;
        if !series.is_overflow {
            self.jobs.get_mut(series.job).series += 1;
        }
        let place = self.table.insert(series);
        self.families.get_mut(family).series.push(place);
        place
    }

    /// Does what time brings: leaves out series and workers that nothing came for.
    pub fn tick(&mut self, now_ms: u64) {
        self.workers.tick(now_ms, milliseconds(self.options.worker_memory));
        self.cut(now_ms, false);
        let mut expired = Vec::new();
        for (place, series) in self.table.iter() {
            let stays = self.families.get(series.family).time_to_live_ms;
            if stays > 0 && series.updated_ms + stays <= now_ms {
                expired.push(place);
            }
        }
        if expired.is_empty() {
            return;
        }
        self.heads.clear();
        self.tally.expired += expired.len() as u64;
        for place in expired {
            let Some(series) = self.table.remove(place) else { continue };
            if !series.is_overflow {
                self.jobs.get_mut(series.job).series -= 1;
            }
            self.families.get_mut(series.family).series.retain(|other| *other != place);
            self.removed.push(series.id);
        }
        self.forget_paths();
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Other options, for series that are there as well. The label of the job stays: series are
    /// known by it.
    pub fn set_options(&mut self, options: Options) {
        let job_label = std::mem::take(&mut self.options.job_label);
        self.options = Options { job_label, ..options };
        for place in self.families.set_options(&self.options) {
            if let Some(series) = self.table.get_mut(place)
                && let Data::Histogram(histogram) = &mut series.data
            {
                histogram.set_bounds(&self.families.get(series.family).zero.bounds);
            }
        }
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The number of series, and of workers that are remembered.
    pub fn size(&self) -> (usize, usize) {
        (self.table.len(), self.workers.len())
    }

    /// Lines that all series take in the text format, roughly.
    pub(crate) fn lines(&self) -> usize {
        let lines = |family: &Family| family.series.len() * (family.zero.bounds.len() + 4);
        self.families.list.iter().map(lines).sum()
    }

    /// Jobs, and the number of series of each, without overflow series.
    pub fn jobs(&self) -> impl Iterator<Item = (&str, usize)> {
        self.jobs.iter().map(|job| (&*job.name, job.series))
    }

    /// Memory of all series and what leads to them, roughly.
    pub fn bytes(&self) -> usize {
        self.table.iter().map(|(_, series)| series.bytes()).sum::<usize>()
            + self.heads.bytes()
            + self.paths.bytes()
            + self.history.bytes()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_live(workers: &Workers, timeout: Duration, now_ms: u64) -> impl Fn(u64) -> bool {
    let timeout = milliseconds(timeout);
    move |worker| {
        worker == UNKNOWN_WORKER
            || workers.seen_ms(worker).is_some_and(|seen| seen.saturating_add(timeout) > now_ms)
    }
}
