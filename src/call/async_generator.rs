//! The first step of an asynchronous generator that a profiled one runs.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::interp::once::intern;

/// Returns `generator.__anext__()`, while the event loop does not get to know `generator`.
///
/// An event loop closes a generator that it knows when that is collected, and all that are left
/// when the loop shuts down. The loop knows the wrapper, which closes this generator. If the loop
/// closed both at once, one of them would fail ("already running") and the loop would report it.
#[pyfunction]
pub(crate) fn first_step<'py>(generator: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = generator.py();
    let sys = py.import(intern!(py, "sys"))?;
    let hooks = sys.call_method0(intern!(py, "get_asyncgen_hooks"))?;
    let hooks = hooks.cast_into::<PyTuple>()?;
    let (first_iteration, finalizer) = (hooks.get_item(0)?, hooks.get_item(1)?);
    let no_hooks = first_iteration.is_none() && finalizer.is_none();
    if no_hooks || !is_native(generator)? {
        return generator.call_method0(intern!(py, "__anext__"));
    }
    let replacement = if finalizer.is_none() {
        py.None().into_bound(py)
    } else {
        wrap_pyfunction!(leave_to_wrapper, py)?.into_any()
    };
    // The hooks belong to the thread, and a generator reads them in its first step. Nothing else
    // runs between the two calls that set them, and no signal is handled.
    let set = sys.getattr(intern!(py, "set_asyncgen_hooks"))?;
    set.call1((py.None(), replacement))?;
    let step = generator.call_method0(intern!(py, "__anext__"));
    set.call1((first_iteration, finalizer))?;
    step
}

/// A finalizer that does nothing: the loop closes the wrapper, which closes the generator.
#[pyfunction]
fn leave_to_wrapper(_generator: &Bound<'_, PyAny>) {}

/// True for the generator of an `async def` with a `yield`. An object of another class may step
/// generators of its own, which the loop has to know.
fn is_native(generator: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = generator.py();
    let class = py.import(intern!(py, "types"))?.getattr(intern!(py, "AsyncGeneratorType"))?;
    Ok(generator.get_type().is(&class))
}
