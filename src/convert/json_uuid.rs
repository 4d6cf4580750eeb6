//! UUIDs in JSON: RFC 4122 text, as orjson writes it.

use std::io::Write as _;

use pyo3::prelude::*;

use crate::convert::imported;
use crate::interp::once::intern;

/// Appends `object` as a JSON string if its class is exactly `uuid.UUID`; else false.
pub(crate) fn write(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    let Some(number) = number_of(object) else {
        return false;
    };
    let digits = format!("{number:032x}");
    let (first, rest) = digits.split_at(8);
    // Writing to memory cannot fail.
    let _ =
        write!(out, "\"{first}-{}-{}-{}-{}\"", &rest[..4], &rest[4..8], &rest[8..12], &rest[12..]);
    true
}

fn number_of(object: &Bound<'_, PyAny>) -> Option<u128> {
    let py = object.py();
    let class = imported::attribute(py, "uuid", "UUID")?;
    if !object.get_type().is(&class) {
        return None;
    }
    object.getattr(intern!(py, "int")).ok()?.extract().ok()
}
