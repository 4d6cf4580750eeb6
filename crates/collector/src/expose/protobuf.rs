//! Prometheus' own messages (`io.prometheus.client.MetricFamily`, delimited), the only format that
//! has native histograms.

use crate::aggregate::exponential::{Buckets, SCHEMA, ZERO_THRESHOLD};
use crate::aggregate::family::full_name;
use crate::aggregate::histogram::Histogram;
use crate::aggregate::labels::{read_labels, write_label};
use crate::aggregate::view::{FamilyView, Point, PointValue};
use crate::expose::encoder::Encoder;
use crate::expose::wire::{self, Open, Short};
use crate::intake::kind::Kind;

/// Numbers of fields, as `metrics.proto` has them.
mod field {
    pub(super) const FAMILY_NAME: u32 = 1;
    pub(super) const FAMILY_HELP: u32 = 2;
    pub(super) const FAMILY_TYPE: u32 = 3;
    pub(super) const FAMILY_METRIC: u32 = 4;
    pub(super) const FAMILY_UNIT: u32 = 5;
    pub(super) const METRIC_LABEL: u32 = 1;
    pub(super) const METRIC_GAUGE: u32 = 2;
    pub(super) const METRIC_COUNTER: u32 = 3;
    pub(super) const METRIC_SUMMARY: u32 = 4;
    pub(super) const METRIC_HISTOGRAM: u32 = 7;
    pub(super) const LABEL_NAME: u32 = 1;
    pub(super) const LABEL_VALUE: u32 = 2;
    /// Of gauges and counters.
    pub(super) const VALUE: u32 = 1;
    pub(super) const COUNTER_CREATED: u8 = 3;
    /// Of summaries and histograms.
    pub(super) const SAMPLE_COUNT: u32 = 1;
    pub(super) const SAMPLE_SUM: u32 = 2;
    pub(super) const SUMMARY_CREATED: u8 = 4;
    pub(super) const BUCKET: u8 = 3;
    pub(super) const BUCKET_COUNT: u8 = 1;
    pub(super) const BUCKET_BOUND: u8 = 2;
    pub(super) const SCHEMA: u32 = 5;
    pub(super) const ZERO_THRESHOLD: u32 = 6;
    pub(super) const ZERO_COUNT: u32 = 7;
    pub(super) const NEGATIVE_SPAN: u8 = 9;
    pub(super) const NEGATIVE_DELTA: u32 = 10;
    pub(super) const POSITIVE_SPAN: u8 = 12;
    pub(super) const POSITIVE_DELTA: u32 = 13;
    pub(super) const HISTOGRAM_CREATED: u8 = 15;
    pub(super) const SPAN_OFFSET: u8 = 1;
    pub(super) const SPAN_LENGTH: u8 = 2;
    pub(super) const SECONDS: u8 = 1;
    pub(super) const NANOSECONDS: u8 = 2;
}

/// Empty buckets between two others that take less room than another span.
const MOST_EMPTY: i32 = 2;

#[derive(Default)]
pub(crate) struct ProtobufEncoder {
    out: Vec<u8>,
    family: Option<Open>,
    kind: Option<Kind>,
    /// Of an enum: the label that holds the state.
    name: String,
    spans: Vec<(i32, u32)>,
    deltas: Vec<u8>,
}

impl ProtobufEncoder {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    fn end_family(&mut self) {
        if let Some(open) = self.family.take() {
            wire::close(open, &mut self.out);
        }
    }

    /// A metric: its labels, those in `more`, and what `write` appends.
    fn metric(&mut self, labels: &str, more: &str, write: impl FnOnce(&mut Self)) {
        let metric = wire::open(field::FAMILY_METRIC, &mut self.out);
        for (name, value) in read_labels(labels).chain(read_labels(more)) {
            let name = (field::LABEL_NAME, name.as_bytes());
            let value = (field::LABEL_VALUE, value.as_bytes());
            wire::pair(field::METRIC_LABEL, [name, value], &mut self.out);
        }
        write(self);
        wire::close(metric, &mut self.out);
    }

    fn gauge(&mut self, value: f64) {
        let gauge = wire::open(field::METRIC_GAUGE, &mut self.out);
        wire::double(field::VALUE, value, &mut self.out);
        wire::close(gauge, &mut self.out);
    }

    fn created(&mut self, field: u8, created_ms: u64) {
        Short::new()
            .integer(field::SECONDS, created_ms / 1000)
            .integer(field::NANOSECONDS, created_ms % 1000 * 1_000_000)
            .append(field, &mut self.out);
    }

    fn histogram(&mut self, histogram: &Histogram, created_ms: u64) {
        let message = wire::open(field::METRIC_HISTOGRAM, &mut self.out);
        let out = &mut self.out;
        wire::integer(field::SAMPLE_COUNT, histogram.count(), out);
        wire::double(field::SAMPLE_SUM, histogram.sum, out);
        for (bound, count) in histogram.cumulative() {
            Short::new()
                .integer(field::BUCKET_COUNT, count)
                .double(field::BUCKET_BOUND, bound)
                .append(field::BUCKET, out);
        }
        let exponential = &histogram.exponential;
        wire::integer(field::SCHEMA, wire::zigzag(i64::from(SCHEMA)), out);
        wire::double(field::ZERO_THRESHOLD, ZERO_THRESHOLD, out);
        wire::integer(field::ZERO_COUNT, exponential.zero, out);
        self.buckets(field::NEGATIVE_SPAN, field::NEGATIVE_DELTA, &exponential.negative);
        self.buckets(field::POSITIVE_SPAN, field::POSITIVE_DELTA, &exponential.positive);
        self.created(field::HISTOGRAM_CREATED, created_ms);
        wire::close(message, &mut self.out);
    }

    /// Buckets as spans, and for each bucket the difference to the one before.
    fn buckets(&mut self, span_field: u8, delta_field: u32, buckets: &Buckets) {
        self.spans.clear();
        self.deltas.clear();
        let (mut next, mut last) = (0, 0);
        for (index, count) in buckets.iter() {
            let (index, count) = (i32::from(index), count.cast_signed());
            let empty = index - next;
            match self.spans.last_mut() {
                Some((_, length)) if empty <= MOST_EMPTY => {
                    for _ in 0..empty {
                        wire::varint(wire::zigzag(-last), &mut self.deltas);
                        *length += 1;
                        last = 0;
                    }
                    *length += 1;
                }
                _ => self.spans.push((empty, 1)),
            }
            wire::varint(wire::zigzag(count - last), &mut self.deltas);
            (next, last) = (index + 1, count);
        }
        let out = &mut self.out;
        for (offset, length) in &self.spans {
            Short::new()
                .integer(field::SPAN_OFFSET, wire::zigzag(i64::from(*offset)))
                .integer(field::SPAN_LENGTH, u64::from(*length))
                .append(span_field, out);
        }
        if !self.deltas.is_empty() {
            wire::bytes(delta_field, &self.deltas, out);
        }
    }
}

impl Encoder for ProtobufEncoder {
    fn begin(&mut self, family: &FamilyView<'_>) {
        self.end_family();
        let open = wire::open_delimited(&mut self.out);
        let out = &mut self.out;
        let name = full_name(family.name, family.kind);
        wire::bytes(field::FAMILY_NAME, name.as_bytes(), out);
        wire::bytes(field::FAMILY_HELP, family.help.as_bytes(), out);
        let kind = match family.kind {
            Kind::Counter => 0,
            Kind::Gauge | Kind::Info | Kind::Enum => 1,
            Kind::Summary => 2,
            Kind::Histogram => 4,
        };
        wire::integer(field::FAMILY_TYPE, kind, out);
        if !family.unit.is_empty() {
            wire::bytes(field::FAMILY_UNIT, family.unit.as_bytes(), out);
        }
        self.family = Some(open);
        self.kind = Some(family.kind);
        family.name.clone_into(&mut self.name);
    }

    fn point(&mut self, point: &Point<'_>) {
        let created_ms = point.created_ms;
        match &point.value {
            PointValue::Histogram(histogram) => {
                self.metric(point.labels, "", |this| this.histogram(histogram, created_ms));
            }
            PointValue::Summary { count, sum } => self.metric(point.labels, "", |this| {
                let summary = wire::open(field::METRIC_SUMMARY, &mut this.out);
                wire::integer(field::SAMPLE_COUNT, *count, &mut this.out);
                wire::double(field::SAMPLE_SUM, *sum, &mut this.out);
                this.created(field::SUMMARY_CREATED, created_ms);
                wire::close(summary, &mut this.out);
            }),
            PointValue::Number(value) if self.kind == Some(Kind::Counter) => {
                self.metric(point.labels, "", |this| {
                    let counter = wire::open(field::METRIC_COUNTER, &mut this.out);
                    wire::double(field::VALUE, *value, &mut this.out);
                    this.created(field::COUNTER_CREATED, created_ms);
                    wire::close(counter, &mut this.out);
                });
            }
            PointValue::Number(value) => {
                self.metric(point.labels, "", |this| this.gauge(*value));
            }
            PointValue::Info(facts) => self.metric(point.labels, facts, |this| this.gauge(1.0)),
            PointValue::Enum { states, current } => {
                for (place, state) in states.iter().enumerate() {
                    let mut label = String::new();
                    write_label(&mut label, &self.name, state);
                    let value = f64::from(u8::from(place == *current));
                    self.metric(point.labels, &label, |this| this.gauge(value));
                }
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_family();
        self.out
    }
}
