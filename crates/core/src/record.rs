//! What a record has beside its context and value: its metric, operation and labels.

use crate::json;
use crate::value::{Value, write_on_one_line};

/// What all records of a metric share.
#[derive(Clone, Debug)]
pub struct Metric {
    name: Box<str>,
    /// The job; of a job that is no string, the text form.
    job: Box<str>,
    /// The beginning of a line of text, up to the context.
    pub(crate) line_head: Box<str>,
    /// What follows the value in a line of text: without labels, with `error_raised=False`, with
    /// `error_raised=True`.
    pub(crate) line_tails: [Box<str>; 3],
    /// The JSON of a record from after its `item` to before its `method`.
    pub(crate) json_middle: Box<[u8]>,
}

impl Metric {
    /// `name` is the one under which handlers get the batch, and not part of the JSON;
    /// `kind` the Prometheus type: histogram, summary, counter, gauge, info or enum.
    pub fn new(name: &str, kind: &str, units: &str, job: &str) -> Self {
        let [kind, units_value, job] = [kind, units, job].map(|text| Value::Text(text.into()));
        Self::with_values(name, units, &kind, &units_value, &job)
    }

    /// As [`Self::new`], for `kind`, `units` and `job` that need not be strings in JSON;
    /// `units_text` is the text form of `units`.
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

    /// The name under which handlers get the batch.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Memory in use, roughly.
    pub fn memory_bytes(&self) -> usize {
        let tails: usize = self.line_tails.iter().map(|tail| tail.len()).sum();
        let texts = self.name.len() + self.job.len() + self.line_head.len() + tails;
        // Seven blocks on the heap, each with some bytes of its own.
        size_of::<Self>() + texts + self.json_middle.len() + 7 * 16
    }

    /// The job, by which messages are routed; of a job that is no string, the text form.
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
    /// What a user put in place of labels: written to JSON, left out of the text form.
    Other(Value),
}

pub const ERROR_RAISED: &str = "error_raised";

impl Labels {
    /// Appends the text form, beginning with what separates it from the value.
    pub(crate) fn write_text(&self, out: &mut String) {
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
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
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

    /// True if the record belongs to a call that raised an exception.
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
