//! Dates and times in JSON: RFC 3339, as orjson writes it.

use std::io::Write as _;

use pyo3::prelude::*;
use pyo3::types::{
    PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyTime, PyTimeAccess, PyTzInfoAccess,
};

use crate::interp::once::intern;

const DAY_S: i32 = 86_400;

/// Appends `object` as a JSON string if its class is exactly `date`, `time` or `datetime`.
/// False, with nothing appended, if it is another one or orjson refuses the value.
pub(crate) fn write(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.push(b'"');
    let written = if let Ok(datetime) = object.cast_exact::<PyDateTime>() {
        write_date(datetime, out);
        out.push(b'T');
        write_time(datetime, out);
        write_fraction(datetime.get_microsecond(), 6, out);
        write_offset(datetime, out)
    } else if let Ok(date) = object.cast_exact::<PyDate>() {
        write_date(date, out);
        Some(())
    } else if let Ok(time) = object.cast_exact::<PyTime>() {
        write_time(time, out);
        let microsecond = time.get_microsecond();
        write_fraction(microsecond, fraction_digits(microsecond), out);
        time.get_tzinfo().is_none().then_some(())
    } else {
        None
    };
    if written.is_none() {
        out.truncate(start);
        return false;
    }
    out.push(b'"');
    true
}

// Writing to memory cannot fail, so the functions below ignore the result of `write!`.

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

/// The number of digits that orjson gives the fraction of a `time`: it loses the first zero of
/// `.012345`. Consumers get the same bytes from 0.3.2.
fn fraction_digits(microsecond: u32) -> usize {
    if (10_000..100_000).contains(&microsecond) { 5 } else { 6 }
}

/// Appends the offset from UTC, if there is a time zone; `None` if that one gives no offset.
fn write_offset(datetime: &Bound<'_, PyDateTime>, out: &mut Vec<u8>) -> Option<()> {
    let Some(zone) = datetime.get_tzinfo() else {
        return Some(());
    };
    let offset = utc_offset(datetime, zone.as_any()).ok()?.cast_into::<PyDelta>().ok()?;
    let seconds = offset.get_seconds();
    if seconds == 0 {
        out.extend_from_slice(b"+00:00");
        return Some(());
    }
    let (sign, seconds) =
        if offset.get_days() == -1 { ('-', DAY_S - seconds) } else { ('+', seconds) };
    // Rounded to minutes without a carry: orjson writes 59 minutes and 30 seconds as `:60`.
    let minute = seconds / 60 % 60 + i32::from(seconds % 60 >= 30);
    let _ = write!(out, "{sign}{:02}:{minute:02}", seconds / 3600);
    Some(())
}

/// The offset of `datetime` from UTC. Libraries of time zones differ in which object gives it.
fn utc_offset<'py>(
    datetime: &Bound<'py, PyDateTime>,
    zone: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = zone.py();
    let utcoffset = intern!(py, "utcoffset");
    if zone.hasattr(intern!(py, "convert"))? {
        // pendulum
        datetime.call_method0(utcoffset)
    } else if zone.hasattr(intern!(py, "normalize"))? {
        // pytz
        zone.call_method1(intern!(py, "normalize"), (datetime,))?.call_method0(utcoffset)
    } else {
        zone.call_method1(utcoffset, (datetime,))
    }
}
