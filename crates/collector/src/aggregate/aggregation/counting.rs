//! Counting the records of messages.

use phanos_core::record::Operation;

use crate::aggregate::aggregation::{Aggregate, is_live};
use crate::aggregate::heads::Head;
use crate::aggregate::jobs::OVERFLOW;
use crate::aggregate::labels::LabelWriter;
use crate::aggregate::options::Options;
use crate::aggregate::series::{Data, Series};
use crate::aggregate::tally::Taken;
use crate::aggregate::worker::UNKNOWN_WORKER;
use crate::intake::body::{Body, Element};
use crate::intake::kind::Kind;
use crate::intake::message::Message;
use crate::intake::reason::Reason;
use crate::intake::record::Record;
use crate::intake::value::Value;

/// A series that records lead to.
#[derive(Clone, Copy)]
struct Found {
    head: Head,
    is_overflow: bool,
}

impl Aggregate {
    /// Counts the records of a message, unless it came before.
    pub fn take(&mut self, message: &Message<'_>, now_ms: u64) -> Taken {
        self.tally.messages += 1;
        self.history.begin(now_ms);
        let mut taken = Taken::default();
        let mut worker = UNKNOWN_WORKER;
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
        let is_known = worker != UNKNOWN_WORKER;
        if !is_known || message.number.is_none() {
            self.tally.unnumbered += 1;
        }
        self.paths.begin(worker, is_known);
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
            Data::Histogram(histogram) => {
                histogram.observe(number);
                self.paths.note(series.path.path);
            }
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
        let path = self.path_of(family, job, &labels);
        self.add_series(Series {
            id: self.table.next_id(),
            family,
            job,
            is_overflow,
            changed: false,
            labels,
            created_ms: now_ms,
            updated_ms: now_ms,
            path,
            data: Data::new(self.families.get(family)),
        })
    }
}
