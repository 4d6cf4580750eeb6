//! Qualified names: those with the class, as `Orders.get`. The Python half knows the rule.

use pyo3::prelude::*;

use crate::interp::gil_cell::GilCell;
use crate::interp::user_code;

/// Returns the qualified name of a callable.
static QUALIFY: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

pub(crate) fn set_qualify(qualify: &Bound<'_, PyAny>) {
    drop(QUALIFY.replace(qualify.py(), Some(qualify.clone().unbind())));
}

/// The qualified name of `callable`; `None` if it has none.
pub(crate) fn name_of(callable: &Bound<'_, PyAny>) -> Option<String> {
    let qualify = QUALIFY.bound(callable.py())?;
    user_code::call(&qualify, &[callable]).and_then(|name| name.extract()).ok()
}
