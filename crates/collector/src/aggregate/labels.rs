//! The labels of a series as the text between braces, by Prometheus' rules: `job="x",item="y"`.

use std::borrow::Cow;

use crate::intake::reason::Reason;

const MOST_LABELS: usize = 32;
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 4096;

/// Names that records cannot have for labels of their own: they would be taken for others.
const RESERVED: [&str; 4] = ["item", "method", "le", "quantile"];
/// What is put before such a name, as Prometheus itself does.
const EXPORTED: &str = "exported_";

/// Labels that are being written, each name once.
pub(crate) struct LabelWriter<'a> {
    job_label: &'a str,
    text: String,
    names: Vec<Box<str>>,
}

impl<'a> LabelWriter<'a> {
    /// `job_label` is the name of the label that holds the job.
    pub(crate) fn new(job_label: &'a str) -> Self {
        Self { job_label, text: String::with_capacity(160), names: Vec::new() }
    }

    /// Adds one of the collector's own labels, under exactly this name.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), Reason> {
        if name.len() > LONGEST_NAME || value.len() > LONGEST_VALUE {
            return Err(Reason::Labels);
        }
        // An empty label is the same as none.
        if !value.is_empty() {
            write_label(&mut self.text, name, value);
            self.names.push(name.into());
        }
        Ok(())
    }

    /// Adds labels of users, sorted, under names that are valid and free. Of several values of one
    /// name the last counts. `reserved` is one more name that is not free.
    pub(crate) fn add_all(
        &mut self,
        labels: &[(Cow<'_, str>, Cow<'_, str>)],
        reserved: &str,
    ) -> Result<(), Reason> {
        if labels.len() > MOST_LABELS {
            return Err(Reason::Labels);
        }
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|place| (&labels[*place].0, *place));
        for (position, place) in order.iter().enumerate() {
            let (name, value) = &labels[*place];
            let next = order.get(position + 1).map(|next| &labels[*next].0);
            if next != Some(name) {
                let free = self.free_name(&valid_name(name), reserved);
                self.add(&free, value)?;
            }
        }
        Ok(())
    }

    /// Keeps the names of the labels in a text of [`write_label`] from being used.
    pub(crate) fn reserve(&mut self, text: &str) {
        self.names.extend(read_labels(text).map(|(name, _)| Box::from(name)));
    }

    pub(crate) fn finish(self) -> Box<str> {
        self.text.into()
    }

    fn free_name(&self, name: &str, reserved: &str) -> String {
        let mut free = name.to_owned();
        if RESERVED.contains(&name) || name == self.job_label || name == reserved {
            free.insert_str(0, EXPORTED);
        }
        while self.names.iter().any(|taken| **taken == *free) {
            free.push('_');
        }
        free
    }
}

/// Letters, digits and underscores, not beginning with a digit or, as Prometheus' own names do,
/// with two underscores.
fn valid_name(name: &str) -> String {
    let valid = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let mut out: String = name.chars().map(valid).collect();
    while out.starts_with("__") {
        out.remove(0);
    }
    if out.is_empty() || out == "_" || out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert_str(0, "label_");
    }
    out
}

/// Appends `name="value"`, after a comma unless it is the first.
pub fn write_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    let mut rest = value;
    while let Some(place) = memchr::memchr3(b'\\', b'"', b'\n', rest.as_bytes()) {
        out.push_str(&rest[..place]);
        out.push_str(match rest.as_bytes()[place] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[place + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// The labels in a text of [`write_label`]: names, and values without escapes.
pub fn read_labels(text: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once("=\"")?;
        let bytes = after.as_bytes();
        let mut end = 0;
        let mut escaped = false;
        loop {
            end += memchr::memchr2(b'\\', b'"', bytes.get(end..)?)?;
            if bytes[end] == b'"' {
                break;
            }
            escaped = true;
            end += 2;
        }
        let value = &after[..end];
        rest = after[end + 1..].strip_prefix(',').unwrap_or("");
        Some((name, if escaped { unescape(value).into() } else { value.into() }))
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}
