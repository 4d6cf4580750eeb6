//! Qualified names: those with the class, as `Orders.get`. The Python half knows the rule.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::interp::gil_cell::GilCell;
use crate::interp::user_code;

/// Returns the qualified name of a callable.
static QUALIFY: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

/// Returns the name of a method on a class.
static QUALIFY_ON: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

pub(crate) fn set_qualify(qualify: &Bound<'_, PyAny>, qualify_on: &Bound<'_, PyAny>) {
    drop(QUALIFY.replace(qualify.py(), Some(qualify.clone().unbind())));
    drop(QUALIFY_ON.replace(qualify.py(), Some(qualify_on.clone().unbind())));
}

/// The name of `function` called on an object of `class`, or on `class` itself; `None` if it is no
/// method.
pub(crate) fn name_on(function: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> Option<String> {
    let qualify_on = QUALIFY_ON.bound(function.py())?;
    user_code::call(&qualify_on, &[function, class.as_any()]).and_then(|name| name.extract()).ok()
}

/// The qualified name of `callable`; `None` if it has none.
pub(crate) fn name_of(callable: &Bound<'_, PyAny>) -> Option<String> {
    let qualify = QUALIFY.bound(callable.py())?;
    user_code::call(&qualify, &[callable]).and_then(|name| name.extract()).ok()
}
