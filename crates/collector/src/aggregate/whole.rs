//! The aggregate: takes messages, shows series, hands out what has changed.

use std::borrow::Cow;
use std::time::Duration;

use phanos_core::record::Operation;

use crate::aggregate::changes::{Changes, Stored};
use crate::aggregate::family::{Families, Family};
use crate::aggregate::heads::{Head, Heads};
use crate::aggregate::jobs::{Jobs, OVERFLOW};
use crate::aggregate::labels::LabelWriter;
use crate::aggregate::options::Options;
use crate::aggregate::row::{RowReader, RowWriter};
use crate::aggregate::series::{Data, RowHead, Series, read_data, write_row};
use crate::aggregate::table::Table;
use crate::aggregate::tally::{Taken, Tally};
use crate::aggregate::view::{FamilyView, Point, PointValue};
use crate::aggregate::worker::{NOBODY, Workers};
use crate::intake::body::{Body, Element};
use crate::intake::kind::Kind;
use crate::intake::message::Message;
use crate::intake::reason::Reason;
use crate::intake::record::Record;
use crate::intake::value::Value;

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
    /// Places of series that are not stored as they are.
    changed: Vec<u32>,
    /// Ids of series that are gone and still stored.
    removed: Vec<u64>,
}

/// A series that records lead to.
#[derive(Clone, Copy)]
struct Found {
    head: Head,
    is_overflow: bool,
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
            changed: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// As it was stored.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn load(options: Options, stored: &Stored) -> Result<Self, String> {
        let mut aggregate = Self::new(options);
        for (name, row) in &stored.families {
            let loaded = aggregate.families.load(&aggregate.options, name, row);
            loaded.ok_or_else(|| format!("family {name} cannot be read"))?;
        }
        for (name, row) in &stored.workers {
            let loaded = aggregate.workers.load(name, row);
            loaded.ok_or_else(|| format!("worker {name} cannot be read"))?;
        }
        for (id, row) in &stored.series {
            let loaded = aggregate.load_series(*id, row);
            loaded.ok_or_else(|| format!("series {id} cannot be read"))?;
        }
        Ok(aggregate)
    }

    fn load_series(&mut self, id: u64, bytes: &[u8]) -> Option<()> {
        let mut row = RowReader(bytes);
        let head = RowHead::read(&mut row)?;
        let family = self.families.place(head.family)?;
        let data = read_data(self.families.get(family), &mut row)?;
        let job = self.jobs.enter(head.job, usize::MAX);
        self.add_series(Series {
            id,
            family,
            job,
            is_overflow: head.is_overflow,
            changed: false,
            labels: head.labels.into(),
            created_ms: head.created_ms,
            updated_ms: head.updated_ms,
            data,
        });
        Some(())
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

    /// Counts the records of a message, unless it came before.
    pub fn take(&mut self, message: &Message<'_>, now_ms: u64) -> Taken {
        self.tally.messages += 1;
        let mut taken = Taken::default();
        let mut worker = NOBODY;
        if !message.worker.is_empty() {
            let sender = self.workers.enter(message.worker, now_ms);
            worker = sender.id;
            if let Some(number) = message.number
                && !sender.numbers.add(number)
            {
                self.tally.duplicates += 1;
                taken.duplicate = true;
                return taken;
            }
            if let Some(settled) = message.settled {
                sender.settle(settled, now_ms);
            }
        }
        if worker == NOBODY || message.number.is_none() {
            self.tally.unnumbered += 1;
        }
        let metric = self.heads.metric(message.metric);
        let mut body = Body::new(message.body);
        while let Some(element) = body.next() {
            let counted = match element {
                Ok(Element::Split(split)) => {
                    if let Some(head) = self.heads.get(metric, split.head) {
                        self.count(head, split.operation, split.number, worker, now_ms)
                    } else {
                        body.whole().and_then(|raw| {
                            let record = Record::read(raw)?;
                            let found =
                                self.count_record(&record, message.metric, worker, now_ms)?;
                            // What overflows is not known by heads: there is no end of them.
                            if raw.get().len() == split.length && !found.is_overflow {
                                let series = self.table.len();
                                self.heads.insert(metric, split.head, found.head, series);
                            }
                            Ok(())
                        })
                    }
                }
                Ok(Element::Whole(raw)) => Record::read(raw).and_then(|record| {
                    self.count_record(&record, message.metric, worker, now_ms).map(|_| ())
                }),
                Err(reason) => Err(reason),
            };
            match counted {
                Ok(()) => taken.records += 1,
                Err(reason) => {
                    taken.bad += 1;
                    taken.reason.get_or_insert(reason);
                    self.tally.add_bad(reason);
                }
            }
        }
        self.tally.records += taken.records;
        taken
    }

    /// Adds a number to a series.
    fn count(
        &mut self,
        head: Head,
        operation: Operation,
        number: f64,
        worker: u64,
        now_ms: u64,
    ) -> Result<(), Reason> {
        let number = head.scale.apply(number);
        if !number.is_finite() {
            return Err(Reason::NotANumber);
        }
        let series = self.table.get_mut(head.series).ok_or(Reason::UnknownOperation)?;
        match &mut series.data {
            Data::Histogram(histogram) => histogram.observe(number),
            Data::Summary { count, sum } => {
                *count += 1;
                *sum += number;
            }
            Data::Counter(_) if number < 0.0 => return Err(Reason::Negative),
            Data::Counter(value) => *value += number,
            Data::Gauge(gauge) => {
                let policy = self.families.get(series.family).policy;
                let is_live = is_live(&self.workers, self.options.live_timeout, now_ms);
                gauge.change(policy, worker, operation, number, is_live);
            }
            Data::Info(_) | Data::Enum { .. } => return Err(Reason::UnknownOperation),
        }
        series.updated_ms = now_ms;
        if !std::mem::replace(&mut series.changed, true) {
            self.changed.push(head.series);
        }
        Ok(())
    }

    /// Counts a record that was read as a whole.
    fn count_record(
        &mut self,
        record: &Record<'_>,
        metric: &str,
        worker: u64,
        now_ms: u64,
    ) -> Result<Found, Reason> {
        if let Value::Number(_, number) = record.value
            && number < 0.0
            && record.kind == Kind::Counter
        {
            return Err(Reason::Negative);
        }
        let found = self.find(record, metric, now_ms)?;
        match &record.value {
            Value::Number(operation, number) => {
                self.count(found.head, *operation, *number, worker, now_ms)?;
            }
            other => self.describe(found.head.series, other, now_ms)?,
        }
        self.tally.overflowed += u64::from(found.is_overflow);
        Ok(found)
    }

    /// Sets what is no number.
    fn describe(&mut self, place: u32, value: &Value<'_>, now_ms: u64) -> Result<(), Reason> {
        let series = self.table.get_mut(place).ok_or(Reason::UnknownOperation)?;
        match value {
            Value::Facts(facts) => {
                let mut writer = LabelWriter::new(&self.options.job_label);
                writer.reserve(&series.labels);
                writer.add_all(facts, "")?;
                series.data = Data::Info(writer.finish());
            }
            Value::State(state) => series.data.set_state(state),
            Value::Number(..) => return Err(Reason::UnknownOperation),
        }
        series.updated_ms = now_ms;
        if !std::mem::replace(&mut series.changed, true) {
            self.changed.push(place);
        }
        Ok(())
    }

    /// The series of a record, made if there is none and there may be one more.
    fn find(&mut self, record: &Record<'_>, metric: &str, now_ms: u64) -> Result<Found, Reason> {
        let Options { max_jobs, max_series, .. } = self.options;
        let (family, scale) =
            self.families.enter(&self.options, metric, record.kind, &record.units)?;
        let job = self.jobs.enter(&record.job, max_jobs);
        let labels = self.labels(job, &record.item, &record.method, Some((record, family)))?;
        let found = |series, is_overflow| Found { head: Head { series, scale }, is_overflow };
        if let Some(place) = self.table.find(family, &labels) {
            return Ok(found(place, false));
        }
        if self.jobs.get(job).series < max_series {
            return Ok(found(self.new_series(family, job, labels, false, now_ms), false));
        }
        if matches!(record.kind, Kind::Gauge | Kind::Info | Kind::Enum) {
            // The values of different series have no sum that means anything.
            return Err(Reason::SeriesLimit);
        }
        let labels = self.labels(job, OVERFLOW, OVERFLOW, None)?;
        let place = self.table.find(family, &labels);
        let place = place.unwrap_or_else(|| self.new_series(family, job, labels, true, now_ms));
        Ok(found(place, true))
    }

    fn labels(
        &self,
        job: u32,
        item: &str,
        method: &str,
        record: Option<(&Record<'_>, u32)>,
    ) -> Result<Box<str>, Reason> {
        let mut writer = LabelWriter::new(&self.options.job_label);
        writer.add(&self.options.job_label, &self.jobs.get(job).name)?;
        writer.add("item", item)?;
        writer.add("method", method)?;
        if let Some((record, family)) = record {
            // The label that holds an enum's state has the name of the family.
            writer.add_all(&record.labels, &self.families.get(family).name)?;
        }
        Ok(writer.finish())
    }

    fn new_series(
        &mut self,
        family: u32,
        job: u32,
        labels: Box<str>,
        is_overflow: bool,
        now_ms: u64,
    ) -> u32 {
        self.add_series(Series {
            id: self.table.next_id(),
            family,
            job,
            is_overflow,
            changed: false,
            labels,
            created_ms: now_ms,
            updated_ms: now_ms,
            data: Data::new(self.families.get(family)),
        })
    }

    /// Does what time brings: leaves out series and workers that nothing came for.
    pub fn tick(&mut self, now_ms: u64) {
        self.workers.tick(now_ms, milliseconds(self.options.worker_memory));
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
    }

    /// Families that have series, in the order of names, with their series.
    pub fn views(
        &self,
        now_ms: u64,
    ) -> impl Iterator<Item = (FamilyView<'_>, impl Iterator<Item = Point<'_>>)> {
        let families = self.families.sorted().filter(|family| !family.series.is_empty());
        families.map(move |family| {
            let view = FamilyView {
                name: &family.name,
                kind: family.kind,
                unit: &family.unit,
                help: &family.help,
            };
            let series = family.series.iter().filter_map(|place| self.table.get(*place));
            let points = series.filter_map(move |series| self.point(family, series, now_ms));
            (view, points)
        })
    }

    fn point<'a>(
        &'a self,
        family: &'a Family,
        series: &'a Series,
        now_ms: u64,
    ) -> Option<Point<'a>> {
        let shows_zero =
            now_ms.saturating_sub(series.created_ms) < milliseconds(self.options.zero_first);
        let value = match &series.data {
            Data::Histogram(_) if shows_zero => PointValue::Histogram(Cow::Borrowed(&family.zero)),
            Data::Histogram(histogram) => PointValue::Histogram(Cow::Borrowed(histogram)),
            Data::Summary { .. } if shows_zero => PointValue::Summary { count: 0, sum: 0.0 },
            Data::Summary { count, sum } => PointValue::Summary { count: *count, sum: *sum },
            Data::Counter(_) if shows_zero => PointValue::Number(0.0),
            Data::Counter(value) => PointValue::Number(*value),
            Data::Gauge(gauge) => {
                let is_live = is_live(&self.workers, self.options.live_timeout, now_ms);
                PointValue::Number(gauge.value(family.policy, is_live)?)
            }
            Data::Info(facts) => PointValue::Info(facts),
            Data::Enum { states, current } => PointValue::Enum { states, current: *current },
        };
        Some(Point { labels: &series.labels, created_ms: series.created_ms, value })
    }

    /// What has changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        changes.families = self.families.take_changes();
        (changes.workers, changes.forgotten_workers) = self.workers.take_changes();
        changes.removed_series = std::mem::take(&mut self.removed);
        let mut row = RowWriter::default();
        for place in self.changed.drain(..) {
            // The place of a series that is gone may have another one, or none.
            let Some(series) = self.table.get_mut(place).filter(|series| series.changed) else {
                continue;
            };
            series.changed = false;
            let start = row.0.len();
            let (family, job) = (self.families.get(series.family), self.jobs.get(series.job));
            write_row(series, &family.name, &job.name, &mut row);
            changes.bytes = row.0;
            changes.add_series(place, series.id, start);
            row.0 = std::mem::take(&mut changes.bytes);
        }
        changes.bytes = row.0;
        changes
    }

    /// Takes back changes that could not be stored.
    pub fn put_back(&mut self, changes: Changes) {
        self.families.put_back(changes.families);
        self.workers.put_back(changes.workers, changes.forgotten_workers);
        self.removed.extend(changes.removed_series);
        for place in changes.places {
            if let Some(series) = self.table.get_mut(place)
                && !std::mem::replace(&mut series.changed, true)
            {
                self.changed.push(place);
            }
        }
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
        self.table.iter().map(|(_, series)| series.bytes()).sum::<usize>() + self.heads.bytes()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_live(workers: &Workers, timeout: Duration, now_ms: u64) -> impl Fn(u64) -> bool {
    let timeout = milliseconds(timeout);
    move |worker| {
        worker == NOBODY
            || workers.seen_ms(worker).is_some_and(|seen| seen.saturating_add(timeout) > now_ms)
    }
}
