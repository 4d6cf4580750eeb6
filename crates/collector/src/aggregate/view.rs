//! What there is to be shown: families and points, whatever is made of them.

use std::borrow::Cow;

use crate::aggregate::histogram::Histogram;
use crate::intake::kind::Kind;

/// A family, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct FamilyView<'a> {
    /// Without `_total` and `_info`.
    pub name: &'a str,
    pub kind: Kind,
    /// Empty for none.
    pub unit: &'a str,
    /// One line.
    pub help: &'a str,
}

/// A series, as it is shown.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    /// As between the braces of the text format.
    pub labels: &'a str,
    /// When counting began, in milliseconds of the epoch.
    pub created_ms: u64,
    pub value: PointValue<'a>,
}

#[derive(Clone, Debug)]
pub enum PointValue<'a> {
    Histogram(Cow<'a, Histogram>),
    Summary {
        count: u64,
        sum: f64,
    },
    /// Of a counter or a gauge.
    Number(f64),
    /// More labels.
    Info(&'a str),
    Enum {
        states: &'a [Box<str>],
        current: usize,
    },
}
