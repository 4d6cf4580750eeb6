//! Log lines that repeat: the first of a kind at once, then one a minute with a count.

use std::time::Instant;

use pyo3::prelude::*;

use phanos_core::rate_limiter::RateLimiter;

use crate::interp::gil_cell::GilCell;

static LIMITER: GilCell<Option<RateLimiter>> = GilCell::new(None);

/// The number of log lines of `kind` that were left out since the last one, if another is due;
/// `None` if it is not.
#[pyfunction]
#[pyo3(name = "due")]
pub(crate) fn left_out(py: Python<'_>, kind: &str) -> Option<u64> {
    LIMITER.with(py, |limiter| limiter.get_or_insert_default().admit(kind, Instant::now()))
}

/// `line`, with the number of lines of its `kind` that were left out, if another is due.
pub(crate) fn if_due(py: Python<'_>, kind: &str, line: impl FnOnce() -> String) -> Option<String> {
    let left_out = left_out(py, kind)?;
    let line = line();
    Some(match left_out {
        0 => line,
        count => format!("{line} ({count} more like this since the last line)"),
    })
}
