//! The command `phanos`, which knows no Python once it runs.

use pyo3::prelude::*;

use crate::interp::panics::{contained, point};

/// The exit code if the command itself is broken.
const BROKEN: u8 = 1;

/// Runs the command with its arguments, the first of which is its name; returns the exit code.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    let run = || {
        point("command");
        py.detach(|| phanos_collector::run(arguments))
    };
    contained(py, "the command phanos", run).unwrap_or(BROKEN)
}
