//! Dates, times and UUIDs in JSON: RFC 3339 the way orjson writes it.

use std::io::Write as _;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyTime, PyTimeAccess, PyTzInfoAccess,
};

const DAY_S: i32 = 86_400;

/// Appends `object` as a JSON string if it is exactly a date, time, datetime or UUID;
/// false if it is something else, or one of these that orjson refuses.
pub(crate) fn write(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.push(b'"');
    let written = if let Ok(moment) = object.cast_exact::<PyDateTime>() {
        write_date(moment, out);
        out.push(b'T');
        write_time(moment, out);
        write_fraction(moment.get_microsecond(), 6, out);
        write_offset(moment, out)
    } else if let Ok(date) = object.cast_exact::<PyDate>() {
        write_date(date, out);
        Some(())
    } else if let Ok(time) = object.cast_exact::<PyTime>() {
        write_time(time, out);
        let microsecond = time.get_microsecond();
        write_fraction(microsecond, digits_of_time(microsecond), out);
        time.get_tzinfo().is_none().then_some(())
    } else {
        write_uuid(object, out)
    };
    if written.is_none() {
        out.truncate(start);
        return false;
    }
    out.push(b'"');
    true
}

// Writing to memory cannot fail: what `write!` returns is of no use in these.

fn write_date(date: &impl PyDateAccess, out: &mut Vec<u8>) {
    let _ = write!(out, "{:04}-{:02}-{:02}", date.get_year(), date.get_month(), date.get_day());
}

fn write_time(time: &impl PyTimeAccess, out: &mut Vec<u8>) {
    let (hour, minute, second) = (time.get_hour(), time.get_minute(), time.get_second());
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
}

fn write_fraction(microsecond: u32, digits: usize, out: &mut Vec<u8>) {
    if microsecond != 0 {
        let _ = write!(out, ".{microsecond:0digits$}");
    }
}

/// How many digits orjson gives the fraction of a time without a date: it loses the first
/// zero of `.012345`. Consumers get the same bytes from 0.3.2.
fn digits_of_time(microsecond: u32) -> usize {
    if (10_000..100_000).contains(&microsecond) { 5 } else { 6 }
}

/// `None` if there is a time zone that does not say how far it is from UTC.
fn write_offset(moment: &Bound<'_, PyDateTime>, out: &mut Vec<u8>) -> Option<()> {
    let Some(zone) = moment.get_tzinfo() else {
        return Some(());
    };
    let offset = offset(moment, zone.as_any()).ok()?.cast_into::<PyDelta>().ok()?;
    let seconds = offset.get_seconds();
    if seconds == 0 {
        out.extend_from_slice(b"+00:00");
        return Some(());
    }
    let (sign, seconds) =
        if offset.get_days() == -1 { ('-', DAY_S - seconds) } else { ('+', seconds) };
    // Rounded to minutes without a carry: 59 minutes and 30 seconds are `:60` with orjson.
    let minute = seconds / 60 % 60 + i32::from(seconds % 60 >= 30);
    let _ = write!(out, "{sign}{:02}:{minute:02}", seconds / 3600);
    Some(())
}

/// Libraries of time zones differ in whom to ask.
fn offset<'py>(
    moment: &Bound<'py, PyDateTime>,
    zone: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = zone.py();
    let utcoffset = intern!(py, "utcoffset");
    if zone.hasattr(intern!(py, "convert"))? {
        // pendulum
        moment.call_method0(utcoffset)
    } else if zone.hasattr(intern!(py, "normalize"))? {
        // pytz
        zone.call_method1(intern!(py, "normalize"), (moment,))?.call_method0(utcoffset)
    } else {
        zone.call_method1(utcoffset, (moment,))
    }
}

fn write_uuid(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Option<()> {
    let py = object.py();
    let class = loaded(py, "uuid", "UUID")?;
    if !object.get_type().is(&class) {
        return None;
    }
    let number: u128 = object.getattr(intern!(py, "int")).ok()?.extract().ok()?;
    let digits = format!("{number:032x}");
    let (first, rest) = digits.split_at(8);
    let _ = write!(out, "{first}-{}-{}-{}-{}", &rest[..4], &rest[4..8], &rest[8..12], &rest[12..]);
    Some(())
}

/// `name` of `module` if that is imported; nothing can be an instance of a class whose module
/// is not, and an import in the middle of a profiled call could block.
pub(crate) fn loaded<'py>(py: Python<'py>, module: &str, name: &str) -> Option<Bound<'py, PyAny>> {
    let modules = py.import(intern!(py, "sys")).ok()?.getattr(intern!(py, "modules")).ok()?;
    modules.get_item(module).ok()?.getattr(name).ok()
}
