//! Lines for the loggers of users, which need only have a method `log`.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

use crate::interp::once::intern;
use crate::interp::user_code;

/// Levels, as `logging` numbers them.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Level {
    Debug = 10,
    Warning = 30,
}

/// False only if the logger says that lines of `level` go nowhere.
///
/// Errors: what its `isEnabledFor` raises.
pub(crate) fn is_enabled(logger: &Bound<'_, PyAny>, level: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = logger.py();
    let name = intern!(py, "isEnabledFor");
    // Asked for at once: looking whether the method is there would make an object for each batch.
    match user_code::call_method(logger, name, &[level]) {
        Ok(answer) => Ok(!answer.is(&*PyBool::new(py, false))),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) && !logger.hasattr(name)? => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Logs a finished line by the method of its level, by `log` if the logger has no such method.
///
/// Errors: what the logger raises.
pub(crate) fn write_log_line(
    logger: &Bound<'_, PyAny>,
    level: Level,
    line: &Bound<'_, PyString>,
) -> PyResult<()> {
    let py = logger.py();
    let name = match level {
        Level::Debug => intern!(py, "debug"),
        Level::Warning => intern!(py, "warning"),
    };
    if let Some(method) = logger.getattr_opt(name)? {
        user_code::call(&method, &[line])?;
        return Ok(());
    }
    let level = PyInt::new(py, level as u8);
    user_code::call_method(logger, intern!(py, "log"), &[&level, line])?;
    Ok(())
}
