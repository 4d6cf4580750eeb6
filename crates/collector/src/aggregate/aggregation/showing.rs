//! The series as they are to be shown.

use std::borrow::Cow;

use crate::aggregate::aggregation::{Aggregate, is_live, milliseconds};
use crate::aggregate::family::Family;
use crate::aggregate::series::{Data, Series};
use crate::aggregate::view::{FamilyView, Point, PointValue};

impl Aggregate {
    /// Families that have series, in the order of names, with their series.
    pub fn views(
        &self,
        now_ms: u64,
    ) -> impl Iterator<Item = (FamilyView<'_>, impl Iterator<Item = Point<'_>>)> {
        let families = self.families.sorted().filter(|family| !family.series.is_empty());
        families.map(move |family| {
            let view = FamilyView {
                name: &family.name,
                kind: family.kind,
                unit: &family.unit,
                help: &family.help,
            };
            let series = family.series.iter().filter_map(|place| self.table.get(*place));
            let points = series.filter_map(move |series| self.point(family, series, now_ms));
            (view, points)
        })
    }

    fn point<'a>(
        &'a self,
        family: &'a Family,
        series: &'a Series,
        now_ms: u64,
    ) -> Option<Point<'a>> {
        let shows_zero =
            now_ms.saturating_sub(series.created_ms) < milliseconds(self.options.zero_first);
        let value = match &series.data {
            Data::Histogram(_) if shows_zero => PointValue::Histogram(Cow::Borrowed(&family.zero)),
            Data::Histogram(histogram) => PointValue::Histogram(Cow::Borrowed(histogram)),
            Data::Summary { .. } if shows_zero => PointValue::Summary { count: 0, sum: 0.0 },
            Data::Summary { count, sum } => PointValue::Summary { count: *count, sum: *sum },
            Data::Counter(_) if shows_zero => PointValue::Number(0.0),
            Data::Counter(value) => PointValue::Number(*value),
            Data::Gauge(gauge) => {
                let is_live = is_live(&self.workers, self.options.live_timeout, now_ms);
                PointValue::Number(gauge.value(family.policy, is_live)?)
            }
            Data::Info(facts) => PointValue::Info(facts),
            Data::Enum { states, current } => PointValue::Enum { states, current: *current },
        };
        Some(Point { labels: &series.labels, created_ms: series.created_ms, value })
    }
}
