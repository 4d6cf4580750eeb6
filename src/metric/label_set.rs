//! Whether the only label of a metric is the one that calls are recorded with.

#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PySet, PyString};

use phanos_core::record;

/// The interned text and its hash.
static ERROR_RAISED: PyOnceLock<(Py<PyString>, ffi::Py_hash_t)> = PyOnceLock::new();

/// True if `names` has `error_raised` and nothing else.
///
/// Users change the set as they like, so each call asks; `PySet_Contains` takes 70
/// instructions where a look at the place of the text, if it is there, takes 10.
pub(crate) fn is_error_raised(names: &Bound<'_, PySet>) -> bool {
    let py = names.py();
    let (text, hash) = ERROR_RAISED.get_or_init(py, || {
        let text = PyString::intern(py, record::ERROR_RAISED);
        // A text has a hash.
        let hash = text.hash().unwrap_or_default();
        (text.unbind(), hash)
    });
    let set = names.as_ptr().cast::<ffi::PySetObject>();
    // SAFETY: a set, which nothing changes meanwhile; its table has `mask + 1` entries.
    let (only_one, found) = unsafe {
        let place = hash & (*set).mask;
        ((*set).used == 1, (*(*set).table.offset(place)).key == text.as_ptr())
    };
    only_one && (found || names.contains(text).unwrap_or(false))
}
