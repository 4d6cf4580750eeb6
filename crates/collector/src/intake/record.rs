//! A record, read by `serde_json` from any JSON that means one.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::intake::kind::Kind;
use crate::intake::labels::{self, Labels};
use crate::intake::reason::Reason;
use crate::intake::text;
use crate::intake::value::{self, Value};

/// One record, borrowing from the body where it can.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    pub kind: Kind,
    pub item: Cow<'a, str>,
    pub units: Cow<'a, str>,
    pub job: Cow<'a, str>,
    pub method: Cow<'a, str>,
    pub labels: Labels<'a>,
    pub value: Value<'a>,
}

/// A record's keys, each as it stands. Other keys are left out; null counts as missing.
#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    metric: Option<&'a RawValue>,
    units: Option<&'a RawValue>,
    job: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    labels: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// Why it is no record.
    pub fn read(raw: &'a RawValue) -> Result<Self, Reason> {
        // An array would do for serde as well, read by position.
        if !raw.get().starts_with('{') {
            return Err(Reason::NotARecord);
        }
        let keys: Keys<'a> = serde_json::from_str(raw.get()).map_err(|_| Reason::NotARecord)?;
        let optional = |key: Option<&'a RawValue>| key.map_or(Ok("".into()), text::of_scalar);
        let kind = text::string(keys.metric.ok_or(Reason::KeyMissing)?)?;
        let kind = Kind::of_name(&kind.ok_or(Reason::WrongType)?).ok_or(Reason::UnknownKind)?;
        let method = text::string(keys.method.ok_or(Reason::KeyMissing)?)?;
        Ok(Self {
            kind,
            item: optional(keys.item)?,
            units: optional(keys.units)?,
            job: optional(keys.job)?,
            method: method.ok_or(Reason::WrongType)?,
            labels: keys.labels.map_or(Ok(Vec::new()), labels::read)?,
            value: value::read(kind, keys.value.ok_or(Reason::KeyMissing)?)?,
        })
    }
}
