//! Kinds of values that JSON cannot hold, which are written as text and logged as warnings.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::log_line::{Level, write_log_line};
use crate::convert::rate_limit::admit_line;
use crate::interp::exceptions;
use crate::interp::once::intern;

/// The largest number of kinds noted for one batch; values of further kinds are written as well.
const MAX_KINDS: usize = 32;

/// The kinds of values in one batch that JSON cannot hold, each once.
#[derive(Default)]
pub(crate) struct UnserializableKinds {
    kinds: Vec<String>,
}

impl UnserializableKinds {
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Adds a kind, such as `values of type set`, if it is new.
    pub(crate) fn note(&mut self, kind: String) {
        if self.kinds.len() < MAX_KINDS && !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    /// Adds all kinds of `other`.
    pub(crate) fn append(&mut self, other: Self) {
        for kind in other.kinds {
            self.note(kind);
        }
    }

    /// Logs a warning for each kind, at most one a minute of each, to `logger` or else to the
    /// logger named `phanos`.
    ///
    /// Errors: what the logger raises that is not an `Exception`, such as `KeyboardInterrupt`.
    pub(crate) fn log(&self, py: Python<'_>, logger: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        for kind in &self.kinds {
            let line = || format!("JSON cannot hold {kind}: sent as text");
            if let Some(line) = admit_line(py, &format!("json|{kind}"), line) {
                exceptions::swallow(py, warn(py, logger, &line))?;
            }
        }
        Ok(())
    }
}

fn warn(py: Python<'_>, logger: Option<&Bound<'_, PyAny>>, line: &str) -> PyResult<()> {
    let logger = match logger {
        Some(logger) => logger.clone(),
        None => py.import(intern!(py, "logging"))?.call_method1("getLogger", ("phanos",))?,
    };
    write_log_line(&logger, Level::Warning, &PyString::new(py, line))
}
