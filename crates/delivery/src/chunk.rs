//! Records on their way from a caller to the network side: small, and quick to put down.
//!
//! A record is 24 bytes here. What records share, their metric and the text of their
//! context, is put down once per chunk, so a caller copies neither.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use phanos_core::path::TextSlot;
use phanos_core::record::{Labels, Metric, Operation};
use phanos_core::value::Value;

/// Chunks are told apart by it: whoever remembers the slot of a text remembers whose.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// What a record measured.
#[derive(Debug)]
pub enum Content {
    /// A number, and the label that the profiler itself sets.
    Number {
        operation: Operation,
        error_raised: Option<bool>,
        number: f64,
    },
    Other(Box<Other>),
}

/// What a number does not say.
#[derive(Debug)]
pub enum Other {
    /// Without an operation the value stands alone.
    Value { operation: Option<Cow<'static, str>>, value: Value, labels: Labels },
    /// A whole record, JSON already.
    Json { record: Box<[u8]>, error_raised: bool },
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) metric: u32,
    /// Slot of the context's text; without meaning for JSON.
    pub(super) text: u32,
    pub(super) content: Content,
}

/// Records handed over one after the other.
#[derive(Debug)]
pub struct Chunk {
    serial: u64,
    pub(super) metrics: Vec<Arc<Metric>>,
    pub(super) texts: Vec<Box<str>>,
    pub(super) entries: Vec<Entry>,
    /// Memory in use, about.
    pub(super) bytes: usize,
    /// When its first record came.
    pub(super) since: Option<Instant>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            metrics: Vec::new(),
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

    /// The number under which this chunk knows `metric`.
    pub fn metric(&mut self, metric: &Arc<Metric>) -> u32 {
        // Few metrics, most often the last one again.
        let known = self.metrics.iter().rposition(|known| Arc::ptr_eq(known, metric));
        let index = known.unwrap_or_else(|| {
            self.metrics.push(Arc::clone(metric));
            self.metrics.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// The number for whole records of the metric `name` that are routed by `job`.
    pub fn metric_of_json(&mut self, name: &str, job: &str) -> u32 {
        let known = |metric: &Arc<Metric>| metric.name() == name && metric.job() == job;
        let known = self.metrics.iter().rposition(known);
        match known {
            Some(index) => u32::try_from(index).unwrap_or(u32::MAX),
            // The rest is in the records.
            None => self.metric(&Arc::new(Metric::new(name, "", "", job))),
        }
    }

    /// The slot of a context's text: `known`, if that is a slot of this chunk, else a new
    /// one for the text that `write` gives.
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

    /// Puts a record down.
    pub fn push(&mut self, metric: u32, text: TextSlot, content: Content) {
        self.bytes += size_of::<Entry>() + content.extra_bytes();
        self.entries.push(Entry { metric, text: text.index, content });
    }
}

impl Content {
    /// True for a whole record, for which nothing that records share is needed.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Other(other) if matches!(**other, Other::Json { .. }))
    }

    /// True if the call that the record belongs to failed.
    pub fn error_raised(&self) -> bool {
        match self {
            Self::Number { error_raised, .. } => *error_raised == Some(true),
            Self::Other(other) => match &**other {
                Other::Value { labels, .. } => labels.error_raised(),
                Other::Json { error_raised, .. } => *error_raised,
            },
        }
    }

    fn extra_bytes(&self) -> usize {
        match self {
            Self::Number { .. } => 0,
            Self::Other(other) => size_of::<Other>() + other.extra_bytes(),
        }
    }
}

impl Other {
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

/// Memory beside the value itself.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        _ => 0,
    }
}
