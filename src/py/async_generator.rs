//! The first step of an asynchronous generator that a profiled one runs.

use pyo3::intern;
use pyo3::prelude::*;

/// Returns `generator.__anext__()` without the event loop listing `generator` as its own.
///
/// At its end a loop closes all that it lists at once. The generator around this one is
/// listed and closes this one; closed from two sides, one of them fails ("already running")
/// and the loop reports it.
#[pyfunction]
pub(crate) fn first_step<'py>(generator: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = generator.py();
    let sys = py.import(intern!(py, "sys"))?;
    let listing = sys.call_method0(intern!(py, "get_asyncgen_hooks"))?.get_item(0)?;
    if listing.is_none() {
        return generator.call_method0(intern!(py, "__anext__"));
    }
    // Hooks belong to the thread; generators read them when they are first stepped. Nothing
    // else runs in between, and no signal is handled.
    sys.call_method1(intern!(py, "set_asyncgen_hooks"), (py.None(),))?;
    let step = generator.call_method0(intern!(py, "__anext__"));
    sys.call_method1(intern!(py, "set_asyncgen_hooks"), (listing,))?;
    step
}
