//! The monotonic clock for Python code that times a call by itself: start times are plain `int`s.
//!
//! This is the system's clock, `std::time::Instant`. Calls that the native side times use the
//! cheaper `phanos_core::clock`; readings of the two must not be mixed.

use std::sync::LazyLock;
use std::time::Instant;

use pyo3::prelude::*;

/// Nanoseconds since the first call of this function in the process.
#[pyfunction]
pub(crate) fn monotonic_ns() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
