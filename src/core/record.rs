//! A batch of one metric's records on its way to handlers, and its two written forms.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::json::{self, JsonArray};
use super::number;
use super::path::{Path, item_of};
use super::value::{Value, write_on_one_line};

/// What all records of a metric share.
#[derive(Clone, Debug)]
pub struct Metric {
    name: Box<str>,
    /// The job; of one that is no string, the text form.
    job: Box<str>,
    /// A line of text up to the context.
    line_head: Box<str>,
    /// What follows the value, by the labels that the profiler itself sets: none, or
    /// whether the call failed.
    line_tails: [Box<str>; 3],
    /// JSON of a record between its `item` and its `method`.
    json_middle: Box<[u8]>,
}

impl Metric {
    /// `name` is the one under which handlers get the batch, and not part of the JSON;
    /// `kind` the Prometheus type: histogram, summary, counter, gauge, info or enum.
    pub fn new(name: &str, kind: &str, units: &str, job: &str) -> Self {
        let [kind, units_value, job] = [kind, units, job].map(|text| Value::Text(text.into()));
        Self::with_values(name, units, &kind, &units_value, &job)
    }

    /// The same where JSON may get other values than strings; `units_text` is the text form
    /// of `units`.
    pub fn with_values(
        name: &str,
        units_text: &str,
        kind: &Value,
        units: &Value,
        job: &Value,
    ) -> Self {
        let mut line_head = String::from("profiler: ");
        write_on_one_line(name, &mut line_head);
        line_head.push_str(", method: ");
        let labels = [Labels::None, Labels::ErrorRaised(false), Labels::ErrorRaised(true)];
        let line_tails = labels.map(|labels| {
            let mut tail = String::from(" ");
            write_on_one_line(units_text, &mut tail);
            labels.write_text(&mut tail);
            tail.into()
        });
        let mut job_text = String::new();
        match job {
            Value::Text(text) => job_text.push_str(text),
            other => other.write_text(&mut job_text),
        }
        let mut json_middle = Vec::new();
        for (key, value) in [("metric", kind), ("units", units), ("job", job)] {
            json_middle.push(b',');
            json::write_string(key, &mut json_middle);
            json_middle.push(b':');
            value.write_json(&mut json_middle);
        }
        json_middle.extend_from_slice(b",\"method\":");
        Self {
            name: name.into(),
            job: job_text.into(),
            line_head: line_head.into(),
            line_tails,
            json_middle: json_middle.into(),
        }
    }

    /// JSON of a record between its `item` and its `method`.
    pub(crate) fn json_middle(&self) -> &[u8] {
        &self.json_middle
    }

    /// Under which handlers get the batch.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The job, by which messages are routed; of one that is no string, the text form.
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
    /// Something else that a user put in their place: none in the text form.
    Other(Value),
}

/// What a record was made in: a path, or its text where that has to travel.
pub trait Method {
    /// Appends the whole text to `out`.
    fn write_text(&self, out: &mut String);

    /// The same for the same text, if it is known that nothing in that can break a line.
    fn key(&self) -> Option<u64>;

    /// Appends `item` and `method` in JSON, with `between` between them.
    fn write_json(&self, between: &[u8], out: &mut Vec<u8>) {
        let mut text = String::new();
        self.write_text(&mut text);
        json::write_string(item_of(&text), out);
        out.extend_from_slice(between);
        json::write_string(&text, out);
    }
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
    /// Wire name of the operation: `observe`, `inc`, ...; without one the value stands alone.
    pub operation: Option<Cow<'static, str>>,
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
            Self::None | Self::Other(_) => {}
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

    /// Appends the JSON form.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(b"{}"),
            Self::ErrorRaised(true) => out.extend_from_slice(b"{\"error_raised\":true}"),
            Self::ErrorRaised(false) => out.extend_from_slice(b"{\"error_raised\":false}"),
            Self::Listed(labels) => {
                let mut separator = b'{';
                for (name, value) in labels {
                    out.push(separator);
                    json::write_string(name, out);
                    out.push(b':');
                    value.write_json(out);
                    separator = b',';
                }
                if labels.is_empty() {
                    out.push(separator);
                }
                out.push(b'}');
            }
            Self::Other(value) => value.write_json(out),
        }
    }

    /// True if the record belongs to a call that failed.
    pub fn error_raised(&self) -> bool {
        match self {
            Self::None | Self::Other(_) => false,
            Self::ErrorRaised(raised) => *raised,
            Self::Listed(labels) => labels
                .iter()
                .any(|(name, value)| **name == *ERROR_RAISED && *value == Value::Bool(true)),
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
        let mut array = JsonArray::new(&self.metric, self.records.len());
        for record in &self.records {
            let operation = record.operation.as_deref();
            array.add(&record.method, operation, &record.value, &record.labels);
        }
        array.finish()
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
            Labels::None | Labels::Other(_) => self.text.push_str(&self.metric.line_tails[0]),
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
