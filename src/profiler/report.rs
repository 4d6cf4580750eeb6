//! Calls from the native half of a profiler to its Python half: to log what hooks and handlers
//! raised, and to queue batches for asynchronous handlers.

use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::interp::exceptions::swallow;
use crate::interp::once::intern;
use crate::interp::user_code;
use crate::profiler::plan::Plan;

/// Has the profiler log an `Exception` that `what` raised. Any other exception is returned, for
/// the caller to raise.
pub(crate) fn log_failure(py: Python<'_>, plan: &Plan, what: &str, error: PyErr) -> Option<PyErr> {
    let error = match swallow::<()>(py, Err(error.clone_ref(py))) {
        Ok(_) => error,
        Err(error) => return Some(error),
    };
    let (what, error) = (PyString::new(py, what), error.into_value(py).into_bound(py));
    let name = intern!(py, "_report_failure");
    let logged = user_code::call_method(plan.profiler.bind(py), name, &[&what, &error]);
    swallow(py, logged).err()
}

/// Queues dispatches to asynchronous handlers, for a caller that cannot await them.
pub(crate) fn queue_dispatches(
    py: Python<'_>,
    plan: &Plan,
    dispatches: &Bound<'_, PyList>,
) -> PyResult<()> {
    let name = intern!(py, "_queue_dispatches");
    user_code::call_method(plan.profiler.bind(py), name, &[dispatches]).map(drop)
}
