//! Python values as text, whatever their own methods do.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The text of a `str`; lone surrogates, which no encoding holds, as `\udc80` spelled out.
pub(crate) fn string_of(text: &Bound<'_, PyString>) -> String {
    if let Ok(text) = text.to_str() {
        return text.to_owned();
    }
    let spelled = text.call_method1(intern!(text.py(), "encode"), ("utf-8", "backslashreplace"));
    let spelled = spelled.and_then(|bytes| bytes.extract::<Vec<u8>>());
    spelled.map_or_else(
        |_| text.to_string_lossy().into_owned(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// Python's `str()` of anything; a `__str__` that raises must not stop a batch.
pub(crate) fn text_of(object: &Bound<'_, PyAny>) -> String {
    object.str().map_or_else(|_| placeholder(object), |text| string_of(&text))
}

/// What stands for an object whose `str()` cannot be had.
pub(crate) fn placeholder(object: &Bound<'_, PyAny>) -> String {
    format!("<{} without text>", class_name(object))
}

/// The name of an object's class, for messages.
pub(crate) fn class_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".into(), |name| string_of(&name))
}

/// The same with its module.
pub(crate) fn full_class_name(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().fully_qualified_name();
    name.map_or_else(|_| "object".into(), |name| string_of(&name))
}
