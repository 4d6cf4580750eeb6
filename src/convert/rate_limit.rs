//! Rate limit of repeating log lines: the first of a kind at once, then one a minute that says
//! how many were left out.

use std::time::Instant;

use pyo3::prelude::*;

use phanos_core::rate_limiter::RateLimiter;

use crate::interp::gil_cell::GilCell;

static LIMITER: GilCell<Option<RateLimiter>> = GilCell::new(None);

/// Asks whether a line of `kind` may be logged now. Returns the number of lines of that kind left
/// out since the last one, or `None` if this one is to be left out as well.
#[pyfunction]
#[pyo3(name = "admit_log_line")]
pub(crate) fn admit(py: Python<'_>, kind: &str) -> Option<u64> {
    LIMITER.with(py, |limiter| limiter.get_or_insert_default().admit(kind, Instant::now()))
}

/// The text of a line of `kind` with the number of those left out; `None` if this one is to be
/// left out as well.
pub(crate) fn admit_line(
    py: Python<'_>,
    kind: &str,
    line: impl FnOnce() -> String,
) -> Option<String> {
    let left_out = admit(py, kind)?;
    let line = line();
    Some(match left_out {
        0 => line,
        count => format!("{line} ({count} more like this since the last line)"),
    })
}
