//! What the native side asks of the Python half of a profiler: to log failures of hooks and
//! handlers, and to line up batches for asynchronous handlers.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::interp::exceptions::swallow;
use crate::interp::user_code;
use crate::profiler::plan::Plan;

/// Lets the profiler log an `Exception` raised by `what`; returns what must go on.
pub(crate) fn failure(py: Python<'_>, plan: &Plan, what: &str, error: PyErr) -> Option<PyErr> {
    let error = match swallow::<()>(py, Err(error.clone_ref(py))) {
        Ok(_) => error,
        Err(error) => return Some(error),
    };
    let report = plan.profiler.bind(py);
    let name = intern!(py, "_report_failure");
    let (what, error) = (PyString::new(py, what), error.into_value(py).into_bound(py));
    let reported = user_code::call_method(report, name, &[&what, &error]);
    swallow(py, reported).err()
}

/// Lines batches for asynchronous handlers up, where nothing can be awaited.
pub(crate) fn queue(py: Python<'_>, plan: &Plan, deliveries: &Bound<'_, PyList>) -> PyResult<()> {
    user_code::call_method(
        plan.profiler.bind(py),
        intern!(py, "_queue_dispatches"),
        &[deliveries],
    )?;
    Ok(())
}
