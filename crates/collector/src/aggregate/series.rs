//! A series: labels, and what was counted under them.

use std::sync::Arc;

use crate::aggregate::exponential::Buckets;
use crate::aggregate::family::Family;
use crate::aggregate::gauge::{Gauge, WorkerValue};
use crate::aggregate::histogram::Histogram;
use crate::aggregate::paths::PathOf;
use crate::aggregate::row::{RowReader, RowWriter};
use crate::intake::kind::Kind;

/// States beyond these replace the oldest.
const MOST_STATES: usize = 64;

#[derive(Debug)]
pub(crate) struct Series {
    /// The key in the store; never used again.
    pub(crate) id: u64,
    pub(crate) family: u32,
    pub(crate) job: u32,
    /// Takes what is beyond the limit of the job.
    pub(crate) is_overflow: bool,
    /// Not stored as it is.
    pub(crate) changed: bool,
    /// As between the braces of the text format.
    pub(crate) labels: Box<str>,
    pub(crate) created_ms: u64,
    pub(crate) updated_ms: u64,
    /// The calls that it counts.
    pub(crate) path: PathOf,
    pub(crate) data: Data,
}

#[derive(Debug)]
pub(crate) enum Data {
    Histogram(Histogram),
    Summary {
        count: u64,
        sum: f64,
    },
    Counter(f64),
    Gauge(Gauge),
    /// More labels, as between braces.
    Info(Box<str>),
    /// States seen so far, and which is the current one.
    Enum {
        states: Vec<Box<str>>,
        current: usize,
    },
}

impl Data {
    pub(crate) fn new(family: &Family) -> Self {
        match family.kind {
            Kind::Histogram => Self::Histogram(family.zero.clone()),
            Kind::Summary => Self::Summary { count: 0, sum: 0.0 },
            Kind::Counter => Self::Counter(0.0),
            Kind::Gauge => Self::Gauge(Gauge::default()),
            Kind::Info => Self::Info("".into()),
            Kind::Enum => Self::Enum { states: Vec::new(), current: 0 },
        }
    }

    /// Makes `state` the current one of an enum.
    pub(crate) fn set_state(&mut self, state: &str) {
        let Self::Enum { states, current } = self else { return };
        if let Some(place) = states.iter().position(|known| **known == *state) {
            *current = place;
            return;
        }
        if states.len() >= MOST_STATES {
            states.remove(0);
        }
        states.push(state.into());
        *current = states.len() - 1;
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Histogram(histogram) => histogram.heap_bytes(),
            Self::Gauge(gauge) => gauge.heap_bytes(),
            Self::Info(facts) => facts.len(),
            Self::Enum { states, .. } => {
                states.iter().map(|state| state.len() + size_of::<Box<str>>()).sum()
            }
            Self::Summary { .. } | Self::Counter(_) => 0,
        }
    }
}

impl Series {
    /// Memory in use.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.labels.len() + self.data.heap_bytes()
    }
}

/// Appends the row of a series in the store.
pub(crate) fn write_row(series: &Series, family: &str, job: &str, row: &mut RowWriter) {
    row.text(family);
    row.text(job);
    row.text(&series.labels);
    row.integer(u64::from(series.is_overflow));
    row.integer(series.created_ms);
    row.integer(series.updated_ms);
    match &series.data {
        Data::Histogram(histogram) => write_histogram(histogram, row),
        Data::Summary { count, sum } => {
            row.integer(*count);
            row.float(*sum);
        }
        Data::Counter(value) => row.float(*value),
        Data::Gauge(gauge) => {
            row.length(usize::from(gauge.shared.is_some()));
            if let Some(value) = gauge.shared {
                row.float(value);
            }
            row.length(gauge.workers.len());
            for other in &gauge.workers {
                row.integer(other.worker);
                row.float(other.value);
            }
        }
        Data::Info(facts) => row.text(facts),
        Data::Enum { states, current } => {
            row.length(states.len());
            for state in states {
                row.text(state);
            }
            row.integer(*current as u64);
        }
    }
}

fn write_histogram(histogram: &Histogram, row: &mut RowWriter) {
    row.float(histogram.sum);
    row.integer(histogram.exponential.zero);
    for buckets in [&histogram.exponential.positive, &histogram.exponential.negative] {
        row.length(buckets.len());
        for (index, count) in buckets.iter() {
            row.integer(u64::from(u16::from_ne_bytes(index.to_ne_bytes())));
            row.integer(count);
        }
    }
    row.length(histogram.classic.len());
    for (bound, count) in histogram.bounds.iter().zip(&histogram.classic) {
        row.float(*bound);
        row.integer(*count);
    }
}

/// The beginning of a row: by what its series is found.
pub(crate) struct RowHead<'a> {
    pub(crate) family: &'a str,
    pub(crate) job: &'a str,
    pub(crate) labels: &'a str,
    pub(crate) is_overflow: bool,
    pub(crate) created_ms: u64,
    pub(crate) updated_ms: u64,
}

impl<'a> RowHead<'a> {
    pub(crate) fn read(row: &mut RowReader<'a>) -> Option<Self> {
        Some(Self {
            family: row.text()?,
            job: row.text()?,
            labels: row.text()?,
            is_overflow: row.integer()? == 1,
            created_ms: row.integer()?,
            updated_ms: row.integer()?,
        })
    }
}

/// The rest of a row.
pub(crate) fn read_data(family: &Family, row: &mut RowReader<'_>) -> Option<Data> {
    Some(match family.kind {
        Kind::Histogram => Data::Histogram(read_histogram(family, row)?),
        Kind::Summary => Data::Summary { count: row.integer()?, sum: row.float()? },
        Kind::Counter => Data::Counter(row.float()?),
        Kind::Gauge => {
            let shared = if row.integer()? == 1 { Some(row.float()?) } else { None };
            let mut workers = Vec::new();
            for _ in 0..row.length()? {
                workers.push(WorkerValue { worker: row.integer()?, value: row.float()? });
            }
            Data::Gauge(Gauge { shared, workers })
        }
        Kind::Info => Data::Info(row.text()?.into()),
        Kind::Enum => {
            let mut states = Vec::new();
            for _ in 0..row.length()? {
                states.push(row.text()?.into());
            }
            let current = usize::try_from(row.integer()?).ok()?;
            Data::Enum { states, current }
        }
    })
}

fn read_histogram(family: &Family, row: &mut RowReader<'_>) -> Option<Histogram> {
    let mut histogram = family.zero.clone();
    histogram.sum = row.float()?;
    let exponential = &mut histogram.exponential;
    exponential.zero = row.integer()?;
    for buckets in [&mut exponential.positive, &mut exponential.negative] {
        *buckets = Buckets::default();
        for _ in 0..row.length()? {
            let index = u16::try_from(row.integer()?).ok()?;
            buckets.add(i16::from_ne_bytes(index.to_ne_bytes()), row.integer()?);
        }
    }
    let length = row.length()?;
    let (mut bounds, mut counts) = (Vec::with_capacity(length), Vec::with_capacity(length));
    for _ in 0..length {
        bounds.push(row.float()?);
        counts.push(row.integer()?);
    }
    if *bounds == *histogram.bounds {
        histogram.classic = counts.into();
    } else {
        // Other buckets were chosen since.
        let chosen = Arc::clone(&histogram.bounds);
        histogram.set_bounds(&chosen);
    }
    Some(histogram)
}
