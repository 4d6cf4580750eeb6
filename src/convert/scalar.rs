//! Python scalars as values of the core: `None`, `bool`, numbers, `str`.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use phanos_core::value::Value;

/// The value of a scalar, which needs no further conversion for text or for JSON: `None`, or an
/// object of exactly the class `bool`, `float`, `int` (up to 64 bits) or `str` (without lone
/// surrogates). `None` for any other object.
pub(crate) fn scalar_of(object: &Bound<'_, PyAny>) -> Option<Value> {
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        Some(Value::Float(number.value()))
    } else if let Ok(text) = object.cast_exact::<PyString>() {
        text.to_str().ok().map(|text| Value::Text(text.into()))
    } else if let Ok(boolean) = object.cast_exact::<PyBool>() {
        Some(Value::Bool(boolean.is_true()))
    } else if let Ok(number) = object.cast_exact::<PyInt>() {
        integer_of(number)
    } else {
        object.is_none().then_some(Value::None)
    }
}

/// The value of an integer; `None` if it has more than 64 bits.
pub(crate) fn integer_of(integer: &Bound<'_, PyInt>) -> Option<Value> {
    match integer.extract::<i64>() {
        Ok(small) => Some(Value::Int(small)),
        Err(_) => integer.extract::<u64>().ok().map(Value::Unsigned),
    }
}
