//! The monotonic clock for Python code that times a call by itself, or waits until a deadline:
//! times are plain `int`s. Programs replace the functions of `time`, in tests above all; these go
//! on.
//!
//! This is the system's clock, `std::time::Instant`. Calls that the native side times use the
//! cheaper `phanos_core::clock`; readings of the two must not be mixed.

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Nanoseconds since the first call of this function in the process.
#[pyfunction]
pub(crate) fn monotonic_ns() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Stops this thread for `seconds`, with the interpreter lock released.
#[pyfunction]
pub(crate) fn sleep(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let pause = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| thread::sleep(pause));
    py.check_signals()
}
