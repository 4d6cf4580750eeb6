//! Text of Python objects, also of those whose own methods raise.

use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::value::Value;

use crate::convert::scalar::scalar_of;
use crate::interp::once::intern;

/// The text of a `str`; lone surrogates, which UTF-8 cannot hold, are escaped as in `\udc80`.
pub(crate) fn string_of(text: &Bound<'_, PyString>) -> String {
    if let Ok(text) = text.to_str() {
        return text.to_owned();
    }
    let escaped = text.call_method1(intern!(text.py(), "encode"), ("utf-8", "backslashreplace"));
    let escaped = escaped.and_then(|bytes| bytes.extract::<Vec<u8>>());
    escaped.map_or_else(
        |_| text.to_string_lossy().into_owned(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// `str()` of any object, or a placeholder: a `__str__` that raises must not stop a batch.
pub(crate) fn text_of(object: &Bound<'_, PyAny>) -> String {
    object.str().map_or_else(|_| placeholder(object), |text| string_of(&text))
}

/// The text that stands for an object without its `str()`.
pub(crate) fn placeholder(object: &Bound<'_, PyAny>) -> String {
    format!("<{} without text>", class_name(object))
}

/// The value of any object for the text form: a scalar as it is, any other by its `str()`.
pub(crate) fn text_value_of(object: &Bound<'_, PyAny>) -> Value {
    scalar_of(object).unwrap_or_else(|| Value::Text(text_of(object).into()))
}

/// The name of an object's class, for messages.
pub(crate) fn class_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".into(), |name| string_of(&name))
}

/// The name of an object's class with its module, for messages.
pub(crate) fn full_class_name(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().fully_qualified_name();
    name.map_or_else(|_| "object".into(), |name| string_of(&name))
}
