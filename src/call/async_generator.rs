//! The first step of an asynchronous generator that a profiled one runs.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Returns `generator.__anext__()` without the event loop knowing `generator`.
///
/// At its end a loop closes all generators that it lists at once, and those that nobody
/// holds any more when they are collected. The generator around this one is known to it and
/// closes this one; closed from two sides, one of them fails ("already running") and the
/// loop reports it.
#[pyfunction]
pub(crate) fn first_step<'py>(generator: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = generator.py();
    let sys = py.import(intern!(py, "sys"))?;
    let hooks = sys.call_method0(intern!(py, "get_asyncgen_hooks"))?;
    let hooks = hooks.cast_into::<PyTuple>()?;
    let (listing, finalizer) = (hooks.get_item(0)?, hooks.get_item(1)?);
    let nobody_asks = listing.is_none() && finalizer.is_none();
    if nobody_asks || !is_native(generator)? {
        return generator.call_method0(intern!(py, "__anext__"));
    }
    let own = if finalizer.is_none() {
        py.None().into_bound(py)
    } else {
        wrap_pyfunction!(leave_to_wrapper, py)?.into_any()
    };
    // Hooks belong to the thread; generators read them when they are first stepped. Nothing
    // else runs in between, and no signal is handled.
    let set = sys.getattr(intern!(py, "set_asyncgen_hooks"))?;
    set.call1((py.None(), own))?;
    let step = generator.call_method0(intern!(py, "__anext__"));
    set.call1((listing, finalizer))?;
    step
}

/// Finalizes nothing: the loop has the wrapper closed, and that closes the generator.
#[pyfunction]
fn leave_to_wrapper(_generator: &Bound<'_, PyAny>) {}

/// True for what an `async def` with a `yield` makes; anything else may step generators of
/// its own, which the loop has to know.
fn is_native(generator: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = generator.py();
    let class = py.import(intern!(py, "types"))?.getattr(intern!(py, "AsyncGeneratorType"))?;
    Ok(generator.get_type().is(&class))
}
