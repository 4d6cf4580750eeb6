//! Records as a caller hands them over: small, and quick to store.
//!
//! A record takes 24 bytes. What records share, their metric and the text of their context, is
//! stored once per chunk.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use phanos_core::path::TextSlot;
use phanos_core::record::{Labels, Metric, Operation};
use phanos_core::value::Value;

use crate::records::metric_index::MetricIndex;

/// The serial number of the next chunk: a slot of a text names the chunk by it.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// What finding a metric again takes, roughly.
const INDEXED_BYTES: usize = 80;

/// What a record measured.
#[derive(Debug)]
pub enum Content {
    /// A number, with the one label that the profiler itself sets; `None`: no labels.
    Number {
        operation: Operation,
        error_raised: Option<bool>,
        number: f64,
    },
    Converted(Box<Converted>),
}

/// A record that had to be converted from Python objects.
#[derive(Debug)]
pub enum Converted {
    /// Value and labels. Without an operation the value stands alone in JSON.
    Value { operation: Option<Cow<'static, str>>, value: Value, labels: Labels },
    /// A whole record as JSON.
    Json { record: Box<[u8]>, error_raised: bool },
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) metric: u32,
    /// Index of the context's text; unused by a record that is JSON as a whole.
    pub(crate) text: u32,
    pub(crate) content: Content,
}

/// Records of any metrics, in the order in which they were handed over.
#[derive(Debug)]
pub struct Chunk {
    serial: u64,
    pub(crate) metrics: Vec<Arc<Metric>>,
    index: MetricIndex,
    pub(crate) texts: Vec<Box<str>>,
    pub(crate) entries: Vec<Entry>,
    /// Memory in use, roughly.
    pub(crate) bytes: usize,
    /// When the first record came.
    pub(crate) since: Option<Instant>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            metrics: Vec::new(),
            index: MetricIndex::default(),
            texts: Vec::new(),
            entries: Vec::new(),
            bytes: 0,
            since: None,
        }
    }
}

impl Chunk {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The index of `metric` in this chunk, for [`Self::push`].
    pub fn metric(&mut self, metric: &Arc<Metric>) -> u32 {
        let metrics = &self.metrics;
        let known = self.index.by_address(metrics, metric);
        known.unwrap_or_else(|| self.add_metric(Arc::clone(metric)))
    }

    /// The same for records that are JSON as a whole: of the metric `name`, routed by `job`.
    pub fn metric_of_json(&mut self, name: &str, job: &str) -> u32 {
        let known = self.index.by_name(&self.metrics, name, job);
        // Units and type are in the records.
        known.unwrap_or_else(|| self.add_metric(Arc::new(Metric::new(name, "", "", job))))
    }

    fn add_metric(&mut self, metric: Arc<Metric>) -> u32 {
        // This may be the last chunk that holds it.
        self.bytes += size_of::<Arc<Metric>>() + metric.memory_bytes() + INDEXED_BYTES;
        self.metrics.push(metric);
        u32::try_from(self.metrics.len() - 1).unwrap_or(u32::MAX)
    }

    /// The slot of a context's text: `known`, if that is a slot of this chunk, else a new slot with
    /// the text that `write` appends.
    pub fn text(&mut self, known: TextSlot, write: impl FnOnce(&mut String)) -> TextSlot {
        if known.table == self.serial {
            return known;
        }
        let mut text = String::new();
        write(&mut text);
        self.bytes += text.len() + size_of::<Box<str>>();
        self.texts.push(text.into());
        let index = u32::try_from(self.texts.len() - 1).unwrap_or(u32::MAX);
        TextSlot { table: self.serial, index }
    }

    /// Adds a record.
    pub fn push(&mut self, metric: u32, text: TextSlot, content: Content) {
        self.bytes += size_of::<Entry>() + content.extra_bytes();
        self.entries.push(Entry { metric, text: text.index, content });
    }
}

impl Content {
    /// True for a record that is JSON as a whole, without metric and context.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Converted(converted) if matches!(**converted, Converted::Json { .. }))
    }

    /// True if the record belongs to a call that raised an exception.
    pub fn error_raised(&self) -> bool {
        match self {
            Self::Number { error_raised, .. } => *error_raised == Some(true),
            Self::Converted(converted) => match &**converted {
                Converted::Value { labels, .. } => labels.error_raised(),
                Converted::Json { error_raised, .. } => *error_raised,
            },
        }
    }

    fn extra_bytes(&self) -> usize {
        match self {
            Self::Number { .. } => 0,
            Self::Converted(converted) => size_of::<Converted>() + converted.extra_bytes(),
        }
    }
}

impl Converted {
    fn extra_bytes(&self) -> usize {
        match self {
            Self::Json { record, .. } => record.len(),
            Self::Value { value, labels, .. } => value_bytes(value) + labels_bytes(labels),
        }
    }
}

fn labels_bytes(labels: &Labels) -> usize {
    match labels {
        Labels::None | Labels::ErrorRaised(_) => 0,
        Labels::Other(value) => value_bytes(value),
        Labels::Listed(listed) => listed
            .iter()
            .map(|(name, value)| size_of::<(Box<str>, Value)>() + name.len() + value_bytes(value))
            .sum(),
    }
}

/// Heap memory of a value.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        _ => 0,
    }
}
