//! `aflush`: awaits what asynchronous handlers have to do, for a limited time.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3_async_runtimes::into_future_with_locals;
use tokio::time::timeout;

use crate::profiler::core::ProfilerCore;
use crate::rabbitmq::awaitable::future_into_py;

/// An awaitable that runs `coroutine` on the running asyncio loop, for at most `timeout_s`
/// seconds: True if it has ended by then. It goes on if it has not.
///
/// Errors: `RuntimeError` where no asyncio loop runs, `OSError` if the system refuses a thread.
#[pyfunction]
pub(crate) fn run_for<'py>(
    core: &Bound<'py, ProfilerCore>,
    coroutine: Bound<'py, PyAny>,
    timeout_s: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let limit = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
    future_into_py(core.py(), Some(core.get().tree.get()), move |locals| {
        let ended = into_future_with_locals(locals, coroutine)?;
        Ok(async move {
            match timeout(limit, ended).await {
                Ok(ended) => ended.map(|_| true),
                Err(_) => Ok(false),
            }
        })
    })
}
