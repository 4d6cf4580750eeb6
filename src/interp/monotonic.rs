//! The monotonic clock, for starts that Python code keeps.

use std::sync::LazyLock;
use std::time::Instant;

use pyo3::prelude::*;

/// Nanoseconds on the clock that calls are timed with, for starts that Python code keeps.
#[pyfunction]
pub(crate) fn monotonic_ns() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
