//! OpenMetrics 1.0.

use std::fmt::Write as _;

use crate::aggregate::view::{FamilyView, Point};
use crate::expose::encoder::Encoder;
use crate::expose::text::Samples;
use crate::intake::kind::Kind;

pub(crate) struct OpenMetricsEncoder(Samples);

impl OpenMetricsEncoder {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Samples::new(bytes))
    }
}

impl Encoder for OpenMetricsEncoder {
    fn begin(&mut self, family: &FamilyView<'_>) {
        self.0.begin(family);
        let FamilyView { name, unit, help, .. } = family;
        let kind = if family.kind == Kind::Enum { "stateset" } else { family.kind.name() };
        let mut text = format!("# TYPE {name} {kind}\n");
        if !unit.is_empty() {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(text, "# HELP {name} {help}");
        self.0.out.extend_from_slice(text.as_bytes());
    }

    fn point(&mut self, point: &Point<'_>) {
        self.0.point(point);
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.out.extend_from_slice(b"# EOF\n");
        self.0.out
    }
}
