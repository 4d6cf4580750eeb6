//! The collector's own metrics.

use crate::aggregate::view::{FamilyView, Point, PointValue};
use crate::intake::kind::Kind;

/// One of the collector's own families, of counters or gauges.
#[derive(Clone, Debug)]
pub struct OwnFamily {
    /// Without `_total`.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: &'static str,
    pub help: &'static str,
    /// Labels as between the braces of the text format, and values.
    pub samples: Vec<(String, f64)>,
}

impl OwnFamily {
    pub(crate) fn view(&self) -> FamilyView<'_> {
        FamilyView { name: self.name, kind: self.kind, unit: self.unit, help: self.help }
    }

    pub(crate) fn points(&self, created_ms: u64) -> impl Iterator<Item = Point<'_>> {
        self.samples.iter().map(move |(labels, value)| Point {
            labels,
            created_ms,
            value: PointValue::Number(*value),
        })
    }
}
