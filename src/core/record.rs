//! A batch of one metric's records on its way to handlers, and its two written forms.

use std::borrow::Cow;
use std::rc::Rc;
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

/// What a record was made in: a path, or its text where that has to travel.
pub trait Method {
    /// Appends the whole text to `out`.
    fn write_text(&self, out: &mut String);
}

impl Method for Rc<Path> {
    fn write_text(&self, out: &mut String) {
        Path::write_text(self, out);
    }
}

impl Method for Box<str> {
    fn write_text(&self, out: &mut String) {
        out.push_str(self);
    }
}

/// One record, without what its metric knows.
#[derive(Clone, Debug)]
pub struct Record<M> {
    pub method: M,
    /// Wire name of the operation: `observe`, `inc`, ...
    pub operation: Cow<'static, str>,
    pub value: Value,
    pub labels: Labels,
}

/// Records of one metric, handed over together.
#[derive(Clone, Debug)]
pub struct Batch<M> {
    pub metric: Arc<Metric>,
    pub records: Vec<Record<M>>,
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
            Self::Listed(labels) => labels
                .iter()
                .any(|(name, value)| **name == *ERROR_RAISED && *value == Value::Bool(true)),
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

/// Function names hold no line breaks, but `__name__` can be set to anything.
fn escape_tail(out: &mut String, start: usize) {
    if out.as_bytes()[start..].iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return;
    }
    let tail = out.split_off(start);
    write_on_one_line(&tail, out);
}

impl<M: Method> Batch<M> {
    /// The text form: one line per record, joined by line breaks, none at the end.
    pub fn text(&self) -> String {
        let mut lines = Lines::new(&self.metric, self.records.len());
        for record in &self.records {
            lines.add(&record.method, &record.value, &record.labels);
        }
        lines.text
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

/// Writes the text form of one metric's records, line by line.
pub struct Lines {
    head: String,
    units: String,
    /// The lines so far, joined by line breaks.
    pub text: String,
}

impl Lines {
    /// For about `records` records of `metric`.
    pub fn new(metric: &Metric, records: usize) -> Self {
        let mut head = String::from("profiler: ");
        write_on_one_line(&metric.name, &mut head);
        head.push_str(", method: ");
        let mut units = String::from(" ");
        write_on_one_line(&metric.units, &mut units);
        Self { head, units, text: String::with_capacity(records * 96) }
    }

    pub fn add(&mut self, method: &impl Method, value: &Value, labels: &Labels) {
        let out = &mut self.text;
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&self.head);
        let start = out.len();
        method.write_text(out);
        escape_tail(out, start);
        out.push_str(", value: ");
        value.write_text(out);
        out.push_str(&self.units);
        labels.write_text(out);
    }
}

struct JsonRecord<'a, M> {
    metric: &'a Metric,
    record: &'a Record<M>,
    method: &'a str,
}

impl<M> Serialize for JsonRecord<'_, M> {
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
