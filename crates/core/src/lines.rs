//! The text form of a batch: a line per record.

use std::ops::Range;

use crate::number;
use crate::path::Path;
use crate::record::{Labels, Metric};
use crate::value::{Value, write_on_one_line};

/// Writes the text form of one metric's records: a line each, joined by line breaks.
pub struct Lines<'a> {
    metric: &'a Metric,
    /// The lines so far; no line break at the end.
    pub text: String,
    /// Id of the last path, and where the text of its line up to the value is: records of one
    /// function often follow each other, and one copy is cheaper than four.
    last_start: Option<(u64, Range<usize>)>,
}

/// Writes the labels of one line.
pub struct LabelText<'a> {
    separator: &'static str,
    out: &'a mut String,
}

impl LabelText<'_> {
    pub fn add_text(&mut self, name: &str, value: &str) {
        self.begin(name);
        write_on_one_line(value, self.out);
    }

    pub fn add_flag(&mut self, name: &str, value: bool) {
        self.begin(name);
        self.out.push_str(if value { "True" } else { "False" });
    }

    fn begin(&mut self, name: &str) {
        self.out.push_str(self.separator);
        write_on_one_line(name, self.out);
        self.out.push('=');
        self.separator = ", ";
    }
}

impl<'a> Lines<'a> {
    /// For about `records` records of `metric`.
    pub fn new(metric: &'a Metric, records: usize) -> Self {
        Self { metric, text: String::with_capacity(records * 96), last_start: None }
    }

    pub fn add(&mut self, method: &Path, value: &Value, labels: &Labels) {
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

    /// As [`Self::add`], for a number and the one label that the profiler itself sets.
    pub fn add_number(&mut self, method: &Path, number: f64, error_raised: Option<bool>) {
        self.begin(method);
        number::write_python(number, &mut self.text);
        match error_raised {
            None => self.text.push_str(&self.metric.line_tails[0]),
            Some(raised) => self.end(raised),
        }
    }

    /// As [`Self::add`], for a number and the labels that `add_labels` adds one by one. It
    /// returns false if it could not add all of them or there are none: the line is then taken
    /// back, and so does this function.
    pub fn add_number_labelled(
        &mut self,
        method: &Path,
        number: f64,
        add_labels: impl FnOnce(&mut LabelText<'_>) -> bool,
    ) -> bool {
        let start = self.text.len();
        self.add_number(method, number, None);
        let added = add_labels(&mut LabelText { separator: ", labels: ", out: &mut self.text });
        if !added {
            self.text.truncate(start);
            self.last_start = None;
        }
        added
    }

    fn begin(&mut self, method: &Path) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        // A text that needs no escaping is copied as it is.
        let key = method.is_plain().then(|| method.id());
        if let (Some(key), Some((known, range))) = (key, &self.last_start)
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
            write_on_one_line(&method.text(), &mut self.text);
        }
        self.text.push_str(", value: ");
        self.last_start = key.map(|key| (key, start..self.text.len()));
    }

    fn end(&mut self, raised: bool) {
        self.text.push_str(&self.metric.line_tails[1 + usize::from(raised)]);
    }
}
