//! A batch of one metric's records on its way to handlers, and its two written forms.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::number;
use super::path::{Path, item_of};
use super::value::{Value, write_on_one_line};

/// What all records of a metric share.
#[derive(Clone, Debug)]
pub struct Metric {
    name: Box<str>,
    kind: Box<str>,
    units: Box<str>,
    job: Box<str>,
    /// A line of text up to the context.
    line_head: Box<str>,
    /// What follows the value, by the labels that the profiler itself sets: none, or
    /// whether the call failed.
    line_tails: [Box<str>; 3],
}

impl Metric {
    /// `name` is the one under which handlers get the batch, and not part of the JSON;
    /// `kind` the Prometheus type: histogram, summary, counter, gauge, info or enum.
    pub fn new(name: &str, kind: &str, units: &str, job: &str) -> Self {
        let mut line_head = String::from("profiler: ");
        write_on_one_line(name, &mut line_head);
        line_head.push_str(", method: ");
        let labels = [Labels::None, Labels::ErrorRaised(false), Labels::ErrorRaised(true)];
        let line_tails = labels.map(|labels| {
            let mut tail = String::from(" ");
            write_on_one_line(units, &mut tail);
            labels.write_text(&mut tail);
            tail.into()
        });
        Self {
            name: name.into(),
            kind: kind.into(),
            units: units.into(),
            job: job.into(),
            line_head: line_head.into(),
            line_tails,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> &str {
        &self.kind
    }

    pub fn units(&self) -> &str {
        &self.units
    }

    pub fn job(&self) -> &str {
        &self.job
    }
}

/// Operations that store numbers; one byte in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Observe,
    Inc,
    Dec,
    Set,
}

impl Operation {
    /// Name in records and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Inc => "inc",
            Self::Dec => "dec",
            Self::Set => "set",
        }
    }
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

    /// The same for the same text, if it is known that nothing in that can break a line.
    fn key(&self) -> Option<u64>;
}

impl Method for Rc<Path> {
    fn write_text(&self, out: &mut String) {
        Path::write_text(self, out);
    }

    fn key(&self) -> Option<u64> {
        self.is_plain().then(|| self.id())
    }
}

impl Method for Box<str> {
    fn write_text(&self, out: &mut String) {
        out.push_str(self);
    }

    fn key(&self) -> Option<u64> {
        None
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
pub struct Lines<'a> {
    metric: &'a Metric,
    /// The lines so far, joined by line breaks.
    pub text: String,
    /// Key of the last context, and where everything up to the value stands for it: calls
    /// of one function often follow each other, and one copy is cheaper than four.
    last: Option<(u64, Range<usize>)>,
}

impl<'a> Lines<'a> {
    /// For about `records` records of `metric`.
    pub fn new(metric: &'a Metric, records: usize) -> Self {
        Self { metric, text: String::with_capacity(records * 96), last: None }
    }

    pub fn add(&mut self, method: &impl Method, value: &Value, labels: &Labels) {
        self.begin(method);
        value.write_text(&mut self.text);
        match labels {
            Labels::None => self.text.push_str(&self.metric.line_tails[0]),
            Labels::ErrorRaised(raised) => self.end(*raised),
            Labels::Listed(_) => {
                self.text.push_str(&self.metric.line_tails[0]);
                labels.write_text(&mut self.text);
            }
        }
    }

    /// The same for a number and the labels that the profiler itself sets.
    pub fn add_number(&mut self, method: &impl Method, number: f64, error_raised: Option<bool>) {
        self.begin(method);
        number::write_python(number, &mut self.text);
        match error_raised {
            None => self.text.push_str(&self.metric.line_tails[0]),
            Some(raised) => self.end(raised),
        }
    }

    fn begin(&mut self, method: &impl Method) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let key = method.key();
        if let (Some(key), Some((known, range))) = (key, &self.last)
            && key == *known
        {
            self.text.extend_from_within(range.clone());
            return;
        }
        let start = self.text.len();
        self.text.push_str(&self.metric.line_head);
        if key.is_some() {
            method.write_text(&mut self.text);
        } else {
            let mut text = String::new();
            method.write_text(&mut text);
            write_on_one_line(&text, &mut self.text);
        }
        self.text.push_str(", value: ");
        self.last = key.map(|key| (key, start..self.text.len()));
    }

    fn end(&mut self, raised: bool) {
        self.text.push_str(&self.metric.line_tails[1 + usize::from(raised)]);
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
