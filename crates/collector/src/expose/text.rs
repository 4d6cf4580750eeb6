//! The text format. Kinds that it does not know, infos and enums, are gauges.

use std::sync::Arc;

use crate::aggregate::family::full_name;
use crate::aggregate::histogram::Histogram;
use crate::aggregate::labels::write_label;
use crate::aggregate::view::{FamilyView, Point, PointValue};
use crate::expose::encoder::Encoder;
use crate::expose::number::{write_float, write_integer};
use crate::intake::kind::Kind;

/// Lines of samples, which the text format and OpenMetrics have in common.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) out: Vec<u8>,
    /// Of the family: without `_total` and `_info`.
    name: String,
    kind: Option<Kind>,
    /// The bounds of the last histogram, and the end of the line's labels for each and for infinity.
    bounds: Option<Arc<[f64]>>,
    bucket_ends: Vec<Vec<u8>>,
    /// What all bucket lines of a series begin with.
    bucket_head: Vec<u8>,
    /// OpenMetrics has no sum beside negative buckets.
    pub(crate) sum_of_negative: bool,
}

impl Samples {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    pub(crate) fn begin(&mut self, family: &FamilyView<'_>) {
        family.name.clone_into(&mut self.name);
        self.kind = Some(family.kind);
    }

    pub(crate) fn point(&mut self, point: &Point<'_>) {
        let labels = point.labels;
        match &point.value {
            PointValue::Histogram(histogram) => self.histogram(labels, histogram),
            PointValue::Summary { count, sum } => self.count_and_sum(labels, *count, *sum),
            PointValue::Number(number) => {
                let end = if self.kind == Some(Kind::Counter) { "_total" } else { "" };
                self.head(end, labels, "");
                write_float(*number, &mut self.out);
                self.out.push(b'\n');
            }
            PointValue::Info(facts) => {
                self.head("_info", labels, facts);
                self.out.extend_from_slice(b"1\n");
            }
            PointValue::Enum { states, current } => {
                for (place, state) in states.iter().enumerate() {
                    let mut label = String::new();
                    let name = std::mem::take(&mut self.name);
                    write_label(&mut label, &name, state);
                    self.name = name;
                    self.head("", labels, &label);
                    let line: &[u8] = if place == *current { b"1\n" } else { b"0\n" };
                    self.out.extend_from_slice(line);
                }
            }
        }
    }

    /// Appends a sample up to its value.
    fn head(&mut self, end: &str, labels: &str, more: &str) {
        let out = &mut self.out;
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(end.as_bytes());
        if !labels.is_empty() || !more.is_empty() {
            out.push(b'{');
            out.extend_from_slice(labels.as_bytes());
            if !labels.is_empty() && !more.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(more.as_bytes());
            out.push(b'}');
        }
        out.push(b' ');
    }

    fn histogram(&mut self, labels: &str, histogram: &Histogram) {
        self.set_bounds(&histogram.bounds);
        self.bucket_head.clear();
        self.bucket_head.extend_from_slice(self.name.as_bytes());
        self.bucket_head.extend_from_slice(b"_bucket{");
        self.bucket_head.extend_from_slice(labels.as_bytes());
        if !labels.is_empty() {
            self.bucket_head.push(b',');
        }
        let count = histogram.count();
        let counts = histogram.cumulative().map(|(_, count)| count).chain([count]);
        for (count, end) in counts.zip(&self.bucket_ends) {
            self.out.extend_from_slice(&self.bucket_head);
            self.out.extend_from_slice(end);
            write_integer(count, &mut self.out);
            self.out.push(b'\n');
        }
        if self.sum_of_negative || histogram.bounds.first().is_none_or(|bound| *bound >= 0.0) {
            self.count_and_sum(labels, count, histogram.sum);
        }
    }

    fn set_bounds(&mut self, bounds: &Arc<[f64]>) {
        if self.bounds.as_ref().is_some_and(|known| Arc::ptr_eq(known, bounds)) {
            return;
        }
        self.bounds = Some(Arc::clone(bounds));
        let ends = bounds.iter().copied().chain([f64::INFINITY]).map(|bound| {
            let mut end = b"le=\"".to_vec();
            write_float(bound, &mut end);
            end.extend_from_slice(b"\"} ");
            end
        });
        self.bucket_ends = ends.collect();
    }

    fn count_and_sum(&mut self, labels: &str, count: u64, sum: f64) {
        self.head("_count", labels, "");
        write_integer(count, &mut self.out);
        self.out.push(b'\n');
        self.head("_sum", labels, "");
        write_float(sum, &mut self.out);
        self.out.push(b'\n');
    }
}

pub(crate) struct TextEncoder(Samples);

impl TextEncoder {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Samples { sum_of_negative: true, ..Samples::new(bytes) })
    }
}

impl Encoder for TextEncoder {
    fn begin(&mut self, family: &FamilyView<'_>) {
        self.0.begin(family);
        let name = full_name(family.name, family.kind);
        let kind = match family.kind {
            Kind::Info | Kind::Enum => Kind::Gauge,
            kind => kind,
        };
        let text = format!("# HELP {name} {}\n# TYPE {name} {}\n", family.help, kind.name());
        self.0.out.extend_from_slice(text.as_bytes());
    }

    fn point(&mut self, point: &Point<'_>) {
        self.0.point(point);
    }

    fn finish(self) -> Vec<u8> {
        self.0.out
    }
}
