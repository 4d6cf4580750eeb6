//! Log lines of a metric, limited in rate.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::rate_limit::admit_line;
use crate::convert::text::{class_name, text_of};
use crate::interp::exceptions;
use crate::interp::once::intern;
use crate::interp::user_code;
use crate::metric::base::Metric;

/// Logs an error about `metric` by its own `error` method, at most one a minute of each `kind`.
///
/// Errors: what that method raises that is not an `Exception`, such as `KeyboardInterrupt`.
pub(crate) fn log_rate_limited(
    metric: &Bound<'_, Metric>,
    kind: &str,
    message: &str,
) -> PyResult<()> {
    let py = metric.py();
    let name = metric.getattr(intern!(py, "name")).map(|name| text_of(&name)).unwrap_or_default();
    let kind = format!("{}|{kind}", metric.get().serial);
    let class = class_name(metric);
    let line = || format!("'{class}': metric '{name}' {message}");
    let Some(line) = admit_line(py, &kind, line) else {
        return Ok(());
    };
    let line = PyString::new(py, &line);
    let logged = user_code::call_method(metric, intern!(py, "error"), &[intern!(py, "%s"), &line]);
    exceptions::swallow(py, logged)?;
    Ok(())
}
