//! Names of families by Prometheus' conventions.

use crate::aggregate::unit::{Scale, base_unit};
use crate::intake::kind::Kind;

pub(crate) const PREFIX: &str = "phanos_";
/// Names that are the collector's own.
pub(crate) const OWN_PREFIX: &str = "phanos_collector_";
/// Ends that belong to the samples of some kind of family.
const RESERVED_ENDS: [&str; 8] =
    ["_total", "_sum", "_count", "_bucket", "_info", "_created", "_gcount", "_gsum"];
const LONGEST: usize = 200;

#[derive(Clone, Debug, PartialEq)]
pub struct FamilyName {
    /// Without `_total` and `_info`, which encoders append.
    pub base: String,
    /// The unit at the end of the base; empty for none.
    pub unit: String,
    /// From the numbers of records to the unit.
    pub scale: Scale,
}

/// The name of the family to which a metric's records belong. `metric` is empty for records of
/// phanos 0.3.2, whose metrics are told apart by kind and unit.
pub fn family_name(metric: &str, kind: Kind, units: &str) -> FamilyName {
    let unit = base_unit(units);
    let has_unit = !matches!(kind, Kind::Info | Kind::Enum);
    let mut name =
        if metric.is_empty() { unnamed(kind, units).to_owned() } else { snake_case(metric) };
    name.truncate(LONGEST);
    let own_end = match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        _ => "",
    };
    if let Some(rest) = name.strip_suffix(own_end) {
        name.truncate(rest.len());
    }
    let unit_name = if has_unit { snake_case_or(unit.name, "") } else { String::new() };
    let stem = name.strip_suffix(&*unit_name).and_then(|stem| stem.strip_suffix('_'));
    if let Some(stem) = stem.filter(|stem| !unit_name.is_empty() && !stem.is_empty()) {
        name.truncate(stem.len());
    }
    if RESERVED_ENDS.iter().any(|end| name.ends_with(end) || name == end[1..]) {
        name.push_str("_value");
    }
    let mut base = format!("{PREFIX}{name}");
    if !unit_name.is_empty() {
        base.push('_');
        base.push_str(&unit_name);
    }
    FamilyName { base, unit: unit_name, scale: unit.scale }
}

/// What a metric is called whose name is not known.
fn unnamed(kind: Kind, units: &str) -> &'static str {
    match (kind, units) {
        (Kind::Histogram, "mS") => "time_profiler",
        (Kind::Histogram, "B") => "response_size",
        // Not the kinds themselves, which Prometheus' conventions keep out of names.
        (Kind::Histogram, _) => "observed",
        (Kind::Summary, _) => "summarized",
        (Kind::Counter, _) => "counted",
        (Kind::Gauge, _) => "gauged",
        (Kind::Info, _) => "facts",
        (Kind::Enum, _) => "state",
    }
}

fn snake_case(text: &str) -> String {
    snake_case_or(text, "unnamed")
}

/// Small letters, digits and single underscores, beginning with a letter; `otherwise` if nothing
/// is left.
fn snake_case_or(text: &str, otherwise: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut after_small = false;
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            if character.is_ascii_uppercase() && after_small {
                out.push('_');
            }
            out.push(character.to_ascii_lowercase());
            after_small = !character.is_ascii_uppercase();
        } else {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            after_small = false;
        }
    }
    let out = out.trim_end_matches('_');
    if out.is_empty() { otherwise.to_owned() } else { out.to_owned() }
}
