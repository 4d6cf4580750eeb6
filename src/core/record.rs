//! A batch of one metric's records on its way to handlers, and its two written forms.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::path::{Path, item_of};
use super::value::{Value, write_on_one_line};

/// What all records of a metric share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name under which handlers get the batch; not part of the JSON.
    pub name: Box<str>,
    /// Prometheus type: histogram, summary, counter, gauge, info or enum.
    pub kind: Box<str>,
    pub units: Box<str>,
    pub job: Box<str>,
}

/// The labels of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    None,
    /// The one label that the profiler itself sets.
    ErrorRaised(bool),
    Listed(Box<[(Box<str>, Value)]>),
}

/// One record, without what its metric knows.
#[derive(Clone, Debug)]
pub struct Record {
    pub method: Arc<Path>,
    /// Wire name of the operation: `observe`, `inc`, ...
    pub operation: Cow<'static, str>,
    pub value: Value,
    pub labels: Labels,
}

/// Records of one metric, handed over together.
#[derive(Clone, Debug)]
pub struct Batch {
    pub metric: Arc<Metric>,
    pub records: Vec<Record>,
}

pub const ERROR_RAISED: &str = "error_raised";

impl Labels {
    fn write_text(&self, out: &mut String) {
        match self {
            Self::None => {}
            Self::ErrorRaised(true) => out.push_str(", labels: error_raised=True"),
            Self::ErrorRaised(false) => out.push_str(", labels: error_raised=False"),
            Self::Listed(labels) => {
                let mut separator = ", labels: ";
                for (name, value) in labels {
                    out.push_str(separator);
                    write_on_one_line(name, out);
                    out.push('=');
                    value.write_text(out);
                    separator = ", ";
                }
            }
        }
    }

    /// True if the record belongs to a call that failed.
    pub fn error_raised(&self) -> bool {
        match self {
            Self::None => false,
            Self::ErrorRaised(raised) => *raised,
            Self::Listed(labels) => {
                labels.iter().any(|(name, value)| **name == *ERROR_RAISED && *value == Value::Bool(true))
            }
        }
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_map(Some(0))?.end(),
            Self::ErrorRaised(raised) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(ERROR_RAISED, raised)?;
                map.end()
            }
            Self::Listed(labels) => {
                let mut map = serializer.serialize_map(Some(labels.len()))?;
                for (name, value) in labels {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl Record {
    /// Appends the record's one line of text, without a line break.
    pub fn write_text(&self, name: &str, units: &str, out: &mut String) {
        out.push_str("profiler: ");
        write_on_one_line(name, out);
        out.push_str(", method: ");
        let start = out.len();
        self.method.write_text(out);
        escape_tail(out, start);
        out.push_str(", value: ");
        self.value.write_text(out);
        out.push(' ');
        write_on_one_line(units, out);
        self.labels.write_text(out);
    }
}

/// Function names hold no line breaks, but `__name__` can be set to anything.
fn escape_tail(out: &mut String, start: usize) {
    if out[start..].contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        let tail = out.split_off(start);
        write_on_one_line(&tail, out);
    }
}

impl Batch {
    /// The text form: one line per record, joined by line breaks, none at the end.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(self.records.len() * 96);
        for record in &self.records {
            if !out.is_empty() {
                out.push('\n');
            }
            record.write_text(&self.metric.name, &self.metric.units, &mut out);
        }
        out
    }

    /// The wire form: one compact JSON array, UTF-8, keys in the order consumers know.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.records.len() * 160 + 2);
        out.push(b'[');
        let mut method = String::new();
        for record in &self.records {
            if out.len() > 1 {
                out.push(b',');
            }
            method.clear();
            record.method.write_text(&mut method);
            let line = JsonRecord { metric: &self.metric, record, method: &method };
            // Writing to memory cannot fail, and no key is anything but a string.
            let _ = serde_json::to_writer(&mut out, &line);
        }
        out.push(b']');
        out
    }
}

struct JsonRecord<'a> {
    metric: &'a Metric,
    record: &'a Record,
    method: &'a str,
}

impl Serialize for JsonRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("item", item_of(self.method))?;
        map.serialize_entry("metric", &self.metric.kind)?;
        map.serialize_entry("units", &self.metric.units)?;
        map.serialize_entry("job", &self.metric.job)?;
        map.serialize_entry("method", self.method)?;
        map.serialize_entry("labels", &self.record.labels)?;
        map.serialize_entry("value", &(&*self.record.operation, &self.record.value))?;
        map.end()
    }
}
