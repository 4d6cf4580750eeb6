//! The value of a record, with the operation that stored it.

use std::borrow::Cow;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList, PySequence, PyString, PyTuple};

use phanos_core::record::Operation;
use phanos_core::value::Value;

use crate::convert::json_value::{self, FIELD_DEPTH, VALUE_DEPTH};
use crate::convert::text::text_value_of;
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::garbage::Traverse;
use crate::interp::once::intern;

pub(crate) enum RecordValue {
    Number(Operation, f64),
    /// A pair `(operation, value)`, or any other object that a user put into `values`.
    Object(Py<PyAny>),
}

impl RecordValue {
    pub(crate) fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Self::Number(operation, number) => Self::Number(*operation, *number),
            Self::Object(object) => Self::Object(object.clone_ref(py)),
        }
    }

    /// The value as users see it in `values` and in dicts of records: `(operation, value)`.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Number(operation, number) => {
                let operation = match operation {
                    Operation::Observe => intern!(py, "observe"),
                    Operation::Inc => intern!(py, "inc"),
                    Operation::Dec => intern!(py, "dec"),
                    Operation::Set => intern!(py, "set"),
                };
                Ok((operation, PyFloat::new(py, *number)).into_pyobject(py)?.into_any())
            }
            Self::Object(object) => Ok(object.bind(py).clone()),
        }
    }

    /// The value for the text form, without its operation.
    pub(crate) fn for_text(&self, py: Python<'_>) -> Value {
        match self {
            Self::Number(_, number) => Value::Float(*number),
            Self::Object(object) => value_for_text(object.bind(py)),
        }
    }

    /// Operation and value for JSON; kinds of objects that JSON cannot hold are added to
    /// `unserializable`.
    pub(crate) fn for_json(
        &self,
        py: Python<'_>,
        unserializable: &mut UnserializableKinds,
    ) -> (Option<Cow<'static, str>>, Value) {
        match self {
            Self::Number(operation, number) => {
                (Some(Cow::Borrowed(operation.name())), Value::Float(*number))
            }
            Self::Object(object) => pair_for_json(object.bind(py), unserializable),
        }
    }
}

impl Traverse for RecordValue {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::Object(object) = self { visit.call(object) } else { Ok(()) }
    }
}

/// The value for the text form: the second member of a pair, or any other object itself.
pub(crate) fn value_for_text(object: &Bound<'_, PyAny>) -> Value {
    // A pair is a tuple, or a list in a record that was read from JSON.
    if let Ok(pair) = object.cast::<PySequence>()
        && (object.is_instance_of::<PyTuple>() || object.is_instance_of::<PyList>())
        && let (Ok(2), Ok(value)) = (pair.len(), pair.get_item(1))
    {
        return text_value_of(&value);
    }
    text_value_of(object)
}

/// Operation and value of a pair; no operation and the object itself if it is no pair.
fn pair_for_json(
    object: &Bound<'_, PyAny>,
    unserializable: &mut UnserializableKinds,
) -> (Option<Cow<'static, str>>, Value) {
    if let Ok(pair) = object.cast_exact::<PyTuple>()
        && let (2, Ok(operation), Ok(value)) = (pair.len(), pair.get_item(0), pair.get_item(1))
        && let Ok(operation) = operation.cast_exact::<PyString>()
        && let Ok(operation) = operation.to_str()
    {
        let value = json_value::value_of(&value, VALUE_DEPTH, unserializable);
        return (Some(Cow::Owned(operation.to_owned())), value);
    }
    (None, json_value::value_of(object, FIELD_DEPTH, unserializable))
}
