//! Whether the garbage collector runs on this thread.
//!
//! Up to CPython 3.11 any allocation can run the collector, also one inside `ContextVar.set`. A
//! finalizer that changes a context variable there frees the mapping that is being changed, and
//! the interpreter crashes. From 3.12 on the collector only runs between instructions.

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::interp::execution_id::current_thread;
use crate::interp::gil_cell::GilValue;
use crate::interp::once::{GilOnce, intern};

/// The thread on which the collector runs.
static COLLECTING: GilValue<Option<usize>> = GilValue::new(None);

static CALLBACK: GilOnce<Py<PyAny>> = GilOnce::new();

/// Has the collector tell when it begins and when it ends.
///
/// Errors: `MemoryError`.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    if cfg!(Py_3_12) {
        return Ok(());
    }
    let callback = CALLBACK.get_or_make(py, || {
        wrap_pyfunction!(note_collection, py).map(|callback| callback.into_any().unbind())
    })?;
    let callbacks = py.import(intern!(py, "gc"))?.getattr(intern!(py, "callbacks"))?;
    let callbacks = callbacks.cast_into::<PyList>()?;
    if callbacks.contains(callback)? { Ok(()) } else { callbacks.append(callback) }
}

/// What the collector calls, as `gc.callbacks` says.
#[pyfunction]
fn note_collection(py: Python<'_>, phase: &str, _info: &Bound<'_, PyAny>) {
    COLLECTING.set(py, (phase == "start").then(current_thread));
}

/// True in a finalizer that the collector runs on this thread, up to CPython 3.11.
#[inline]
pub(crate) fn is_collecting(py: Python<'_>) -> bool {
    !cfg!(Py_3_12) && COLLECTING.get(py).is_some_and(|thread| thread == current_thread())
}
