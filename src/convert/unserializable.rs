//! What JSON cannot hold and was written as text instead, told once to whoever sends it.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::rate_limit::if_due;
use crate::interp::exceptions;
use crate::interp::user_code;

/// Kinds remembered at most in one batch; more of them are written all the same.
const KINDS: usize = 32;

/// Kinds of values that JSON unserializable, each once.
#[derive(Default)]
pub(crate) struct UnserializableKinds {
    kinds: Vec<String>,
}

impl UnserializableKinds {
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Remembers a kind, such as `values of type set`.
    pub(crate) fn note(&mut self, kind: String) {
        if self.kinds.len() < KINDS && !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        for kind in other.kinds {
            self.note(kind);
        }
    }

    /// Logs a warning for each kind that had none within a minute. Without a `logger` it
    /// goes to the one named `phanos`.
    ///
    /// Errors: only what must not be swallowed, such as `KeyboardInterrupt`.
    pub(crate) fn log(&self, py: Python<'_>, logger: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        for kind in &self.kinds {
            let line = || format!("JSON cannot hold {kind}: sent as text");
            if let Some(line) = if_due(py, &format!("json|{kind}"), line) {
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
    let line = PyString::new(py, line);
    user_code::call_method(&logger, intern!(py, "warning"), &[intern!(py, "%s"), &line])?;
    Ok(())
}
