//! The labels of a record: names, and values as text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::intake::reason::Reason;
use crate::intake::text;

/// Names and values in the order of the record; names may be there twice, and then the last counts.
pub type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The labels in a JSON object. A string stands for itself, null for an empty text, and anything
/// else for its JSON: `true`, `1.5`, `[1,2]`.
pub(crate) fn read(raw: &RawValue) -> Result<Labels<'_>, Reason> {
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    let pairs = reader.deserialize_map(Pairs).map_err(|_| Reason::WrongType)?;
    pairs
        .into_iter()
        .map(|(name, value)| Ok((text::string(name)?.ok_or(Reason::WrongType)?, text::of(value)?)))
        .collect()
}

/// The pairs of an object, as they stand.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(0));
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
