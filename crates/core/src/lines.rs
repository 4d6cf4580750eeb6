//! The text form of a batch: a line per record.

use std::ops::Range;

use super::number;
use super::path::Path;
use super::record::{Labels, Metric};
use super::value::{Value, write_on_one_line};

/// Writes the text form of one metric's records: a line each, joined by line breaks.
pub struct Lines<'a> {
    metric: &'a Metric,
    /// The lines so far; no line break at the end.
    pub text: String,
    /// Key of the last context, and where everything up to the value stands for it: calls
    /// of one function often follow each other, and one copy is cheaper than four.
    last: Option<(u64, Range<usize>)>,
}

/// The labels of one line.
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
        Self { metric, text: String::with_capacity(records * 96), last: None }
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

    /// The same for a number and the labels that the profiler itself sets.
    pub fn add_number(&mut self, method: &Path, number: f64, error_raised: Option<bool>) {
        self.begin(method);
        number::write_python(number, &mut self.text);
        match error_raised {
            None => self.text.push_str(&self.metric.line_tails[0]),
            Some(raised) => self.end(raised),
        }
    }

    /// The same with labels that `give` gives one by one. If it cannot give all of them, or
    /// there are none, it says false: the line is then not written.
    pub fn add_number_labelled(
        &mut self,
        method: &Path,
        number: f64,
        give: impl FnOnce(&mut LabelText<'_>) -> bool,
    ) -> bool {
        let start = self.text.len();
        self.add_number(method, number, None);
        let given = give(&mut LabelText { separator: ", labels: ", out: &mut self.text });
        if !given {
            self.text.truncate(start);
            self.last = None;
        }
        given
    }

    fn begin(&mut self, method: &Path) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        // Of a text in which nothing can break a line.
        let key = method.is_plain().then(|| method.id());
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
            write_on_one_line(&method.text(), &mut self.text);
        }
        self.text.push_str(", value: ");
        self.last = key.map(|key| (key, start..self.text.len()));
    }

    fn end(&mut self, raised: bool) {
        self.text.push_str(&self.metric.line_tails[1 + usize::from(raised)]);
    }
}
