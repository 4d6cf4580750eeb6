//! Families: what all series of one metric share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::aggregate::histogram::{Histogram, default_bounds};
use crate::aggregate::name::{FamilyName, OWN_PREFIX, family_name};
use crate::aggregate::options::{MetricOptions, Options, Policy};
use crate::aggregate::row::{RowReader, RowWriter};
use crate::aggregate::unit::Scale;
use crate::intake::kind::Kind;
use crate::intake::reason::Reason;

#[derive(Debug)]
pub(crate) struct Family {
    /// Without `_total` and `_info`.
    pub(crate) name: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) unit: Box<str>,
    pub(crate) help: Box<str>,
    /// The metric's name in the profiler; empty if it is not known.
    metric: Box<str>,
    pub(crate) policy: Policy,
    /// How long a series without records stays; zero: for ever.
    pub(crate) time_to_live_ms: u64,
    /// What a series of a histogram begins with.
    pub(crate) zero: Histogram,
    /// Places of the family's series.
    pub(crate) series: Vec<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Families {
    pub(crate) list: Vec<Family>,
    by_name: BTreeMap<Box<str>, u32>,
    /// Families that are not stored yet.
    changed: Vec<u32>,
}

impl Families {
    /// The family to which a metric's records belong, and the way to its unit.
    pub(crate) fn enter(
        &mut self,
        options: &Options,
        metric: &str,
        kind: Kind,
        units: &str,
    ) -> Result<(u32, Scale), Reason> {
        let name = family_name(metric, kind, units);
        if let Some(place) = self.by_name.get(&*name.base) {
            let family = &self.list[*place as usize];
            let fits = family.kind == kind && *family.unit == *name.unit;
            return if fits { Ok((*place, name.scale)) } else { Err(Reason::TypeConflict) };
        }
        if name.base.starts_with(OWN_PREFIX) {
            return Err(Reason::TypeConflict);
        }
        if self.list.len() >= options.max_metrics {
            return Err(Reason::MetricLimit);
        }
        let place = self.add(new(options, metric, kind, &name));
        self.changed.push(place);
        Ok((place, name.scale))
    }

    fn add(&mut self, family: Family) -> u32 {
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.by_name.insert(family.name.clone(), place);
        self.list.push(family);
        place
    }

    /// Does what other options say; returns the places of series that get other buckets.
    pub(crate) fn set_options(&mut self, options: &Options) -> Vec<u32> {
        let mut other_buckets = Vec::new();
        for family in &mut self.list {
            let name = FamilyName {
                base: family.name.to_string(),
                unit: family.unit.to_string(),
                scale: Scale::ONE,
            };
            let chosen = new(options, &family.metric, family.kind, &name);
            if chosen.zero.bounds != family.zero.bounds {
                other_buckets.extend(&family.series);
            }
            *family = Family { series: std::mem::take(&mut family.series), ..chosen };
        }
        other_buckets
    }

    pub(crate) fn get(&self, place: u32) -> &Family {
        &self.list[place as usize]
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> &mut Family {
        &mut self.list[place as usize]
    }

    /// In the order of names.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = &Family> {
        self.by_name.values().map(|place| self.get(*place))
    }

    pub(crate) fn take_changes(&mut self) -> Vec<(Box<str>, Vec<u8>)> {
        let changed = std::mem::take(&mut self.changed);
        let rows = changed.into_iter().map(|place| {
            let family = self.get(place);
            (family.name.clone(), row(family))
        });
        rows.collect()
    }

    pub(crate) fn put_back(&mut self, rows: Vec<(Box<str>, Vec<u8>)>) {
        let places = rows.iter().filter_map(|(name, _)| self.by_name.get(name));
        self.changed.extend(places);
    }

    /// Adds a family as it was stored; `None` if the row cannot be read.
    pub(crate) fn load(&mut self, options: &Options, name: &str, bytes: &[u8]) -> Option<()> {
        let mut row = RowReader(bytes);
        let kind = Kind::of_name(row.text()?)?;
        let (unit, metric) = (row.text()?, row.text()?);
        let name = FamilyName { base: name.into(), unit: unit.into(), scale: Scale::ONE };
        self.add(new(options, metric, kind, &name));
        Some(())
    }

    pub(crate) fn place(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }
}

fn row(family: &Family) -> Vec<u8> {
    let mut row = RowWriter::default();
    for text in [family.kind.name(), &family.unit, &family.metric] {
        row.text(text);
    }
    row.0
}

fn new(options: &Options, metric: &str, kind: Kind, name: &FamilyName) -> Family {
    let full = full_name(&name.base, kind);
    let own = options
        .metrics
        .iter()
        .find(|own| [metric, &name.base, &full].contains(&&*own.name) && !own.name.is_empty());
    let given = |pick: fn(&MetricOptions) -> Option<Vec<f64>>| own.and_then(pick);
    let bounds: Option<Arc<[f64]>> = given(|own| own.buckets.clone()).map(Into::into);
    let bounds = match kind {
        Kind::Histogram => bounds.unwrap_or_else(|| default_bounds(&name.unit)),
        _ => [].into(),
    };
    let expires = matches!(kind, Kind::Gauge | Kind::Info | Kind::Enum);
    let default = if expires { options.time_to_live } else { Duration::ZERO };
    let time_to_live = own.and_then(|own| own.time_to_live).unwrap_or(default);
    Family {
        name: (&*name.base).into(),
        kind,
        unit: (&*name.unit).into(),
        help: help(metric, kind).into(),
        metric: metric.into(),
        policy: own.and_then(|own| own.policy).unwrap_or(options.policy),
        time_to_live_ms: u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX),
        zero: Histogram::new(&bounds),
        series: Vec::new(),
    }
}

/// The name as it is served in the text format.
pub(crate) fn full_name(base: &str, kind: Kind) -> String {
    let end = match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        _ => "",
    };
    format!("{base}{end}")
}

fn help(metric: &str, kind: Kind) -> String {
    match metric {
        "time_profiler" => "Time that calls took, by call path.".into(),
        "response_size" => "Size of what root calls returned, by call path.".into(),
        "" => format!("A {} that was profiled, by call path.", kind.name()),
        name => {
            // A line of its own in the text formats.
            let name: String = name.chars().filter(|c| !c.is_control() && *c != '\\').collect();
            format!("The {} {name}, by call path.", kind.name())
        }
    }
}
