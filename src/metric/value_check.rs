//! The check of the value that an operation is called with.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

use phanos_core::record::Operation;

use crate::convert::settled;
use crate::convert::text::class_name;
use crate::interp::once::intern;
use crate::metric::base::Metric;
use crate::metric::record_value::RecordValue;

/// An operation, by the kind of value that it takes.
#[derive(Clone, Copy)]
pub(crate) enum OperationKind {
    /// A real number; `inc` and `dec` take none below zero.
    Number(Operation),
    /// A dict.
    Info,
    /// One of the metric's `states`.
    State,
}

impl OperationKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Number(operation) => operation.name(),
            Self::Info => "info",
            Self::State => "state",
        }
    }
}

/// The value as a record stores it, or a message that says why the operation does not take it.
///
/// Errors: `MemoryError`, or what reading the metric's `states` raises.
pub(crate) fn check_value(
    metric: &Bound<'_, Metric>,
    kind: OperationKind,
    value: &Bound<'_, PyAny>,
) -> PyResult<Result<RecordValue, String>> {
    let py = metric.py();
    let expected = |what: &str| {
        let shown = value.repr().map_or_else(|_| "a value".to_owned(), |text| text.to_string());
        let class = class_name(value);
        let operation = kind.name();
        format!("operation '{operation}' accepts only {what}, got {shown} of type {class}")
    };
    match kind {
        OperationKind::Info => {
            let Ok(info) = value.cast::<PyDict>() else {
                return Ok(Err(expected("dict values")));
            };
            let info = info.copy()?;
            settled::settle_values(&info)?;
            Ok(Ok(pair(py, kind.name(), info.into_any())?))
        }
        OperationKind::State => {
            let states = metric.getattr(intern!(py, "states"))?;
            if !states.contains(value).unwrap_or(false) {
                let states = states.repr().map(|text| text.to_string()).unwrap_or_default();
                return Ok(Err(expected(&format!("one of the states {states}"))));
            }
            Ok(Ok(pair(py, kind.name(), settled::settled(value)?)?))
        }
        OperationKind::Number(operation) => {
            let Some(number) = real_number(value) else {
                return Ok(Err(expected("real numbers (int or float, not bool)")));
            };
            if matches!(operation, Operation::Inc | Operation::Dec) && number < 0.0 {
                return Ok(Err(expected("real numbers >= 0")));
            }
            Ok(Ok(RecordValue::Number(operation, number)))
        }
    }
}

/// The pair `(operation, value)`.
fn pair(py: Python<'_>, operation: &str, value: Bound<'_, PyAny>) -> PyResult<RecordValue> {
    let operation = PyString::intern(py, operation).into_any();
    Ok(RecordValue::Object(PyTuple::new(py, [operation, value])?.into_any().unbind()))
}

/// The value as a float, if it is a real number; booleans are not.
fn real_number(value: &Bound<'_, PyAny>) -> Option<f64> {
    if let Ok(number) = value.cast::<PyFloat>() {
        return Some(number.value());
    }
    if value.is_instance_of::<PyBool>() {
        return None;
    }
    if value.is_instance_of::<PyInt>() {
        return value.extract().ok();
    }
    let py = value.py();
    let numbers = py.import(intern!(py, "numbers")).ok()?;
    let is_a = |name| {
        let kind = numbers.getattr(name).ok();
        kind.is_some_and(|kind| value.is_instance(&kind).unwrap_or(false))
    };
    // A `Decimal` is a number of no further kind.
    let is_real =
        is_a(intern!(py, "Real")) || (is_a(intern!(py, "Number")) && !is_a(intern!(py, "Complex")));
    if !is_real {
        return None;
    }
    value.call_method0(intern!(py, "__float__")).ok()?.extract().ok()
}
