//! What a metric's columns hold: numbers, flags and paths as they are, other things as the
//! Python objects they came as. Conversions to Python and to the core's records.

use std::borrow::Cow;
use std::rc::Rc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PySequence, PyString, PyTuple};

use phanos_core::column;
use phanos_core::lines::{LabelText, Lines};
use phanos_core::path::Path;
pub(crate) use phanos_core::record::Operation;
use phanos_core::record::{ERROR_RAISED, Labels, Metric};
use phanos_core::value::Value;

use crate::convert::json_value::{self, FIELD_DEPTH, VALUE_DEPTH, entries};
use crate::convert::text::{text_of, text_value_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::garbage::Traverse;

pub(crate) enum RecordValue {
    /// `(operation, number)`.
    Number(Operation, f64),
    /// `(operation, object)`, or whatever a user put into the list.
    Object(Py<PyAny>),
}

pub(crate) enum RecordLabels {
    None,
    ErrorRaised(bool),
    Object(Py<PyAny>),
}

pub(crate) enum RecordMethod {
    Path(Rc<Path>),
    Object(Py<PyAny>),
}

impl Traverse for RecordValue {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::Object(object) = self { visit.call(object) } else { Ok(()) }
    }
}

impl Traverse for RecordLabels {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::Object(object) = self { visit.call(object) } else { Ok(()) }
    }
}

impl Traverse for RecordMethod {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::Object(object) = self { visit.call(object) } else { Ok(()) }
    }
}

pub(crate) type Columns = column::Columns<RecordValue, RecordLabels, RecordMethod>;

impl RecordValue {
    pub(crate) fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Self::Number(operation, number) => Self::Number(*operation, *number),
            Self::Object(object) => Self::Object(object.clone_ref(py)),
        }
    }

    pub(crate) fn from_item(item: Bound<'_, PyAny>) -> Self {
        Self::Object(item.unbind())
    }

    pub(crate) fn to_item<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
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
            Self::Object(item) => Ok(item.bind(py).clone()),
        }
    }
}

impl RecordLabels {
    pub(crate) fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Self::None => Self::None,
            Self::ErrorRaised(raised) => Self::ErrorRaised(*raised),
            Self::Object(object) => Self::Object(object.clone_ref(py)),
        }
    }

    pub(crate) fn to_item<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let labels = PyDict::new(py);
        match self {
            Self::None => {}
            Self::ErrorRaised(raised) => {
                labels.set_item(intern!(py, ERROR_RAISED), PyBool::new(py, *raised))?;
            }
            Self::Object(item) => return Ok(item.bind(py).clone()),
        }
        Ok(labels.into_any())
    }
}

impl RecordMethod {
    pub(crate) fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Self::Path(path) => Self::Path(Rc::clone(path)),
            Self::Object(object) => Self::Object(object.clone_ref(py)),
        }
    }

    pub(crate) fn to_item<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match self {
            Self::Path(path) => PyString::new(py, &path.text()).into_any(),
            Self::Object(item) => item.bind(py).clone(),
        }
    }
}

/// The value in a values item, for the text form: the second of a pair, else the item.
fn text_value_in(item: &Bound<'_, PyAny>) -> Value {
    // A tuple, or a list where a record came back from JSON.
    if let Ok(pair) = item.cast::<PySequence>()
        && (item.is_instance_of::<PyTuple>() || item.is_instance_of::<PyList>())
        && let (Ok(2), Ok(value)) = (pair.len(), pair.get_item(1))
    {
        return text_value_of(&value);
    }
    text_value_of(item)
}

/// Operation and value of a values item, for JSON.
fn json_value_in(
    item: &Bound<'_, PyAny>,
    unserializable: &mut UnserializableKinds,
) -> (Option<Cow<'static, str>>, Value) {
    if let Ok(pair) = item.cast_exact::<PyTuple>()
        && let (2, Ok(operation), Ok(value)) = (pair.len(), pair.get_item(0), pair.get_item(1))
        && let Ok(operation) = operation.cast_exact::<PyString>()
        && let Ok(operation) = operation.to_str()
    {
        let value = json_value::value_of(&value, VALUE_DEPTH, unserializable);
        return (Some(Cow::Owned(operation.to_owned())), value);
    }
    (None, json_value::value_of(item, FIELD_DEPTH, unserializable))
}

fn text_labels_of(item: &Bound<'_, PyAny>) -> Labels {
    let Ok(labels) = item.cast::<PyDict>() else {
        return Labels::None;
    };
    let listed = entries(labels).into_iter();
    let listed: Box<[_]> =
        listed.map(|(name, value)| (text_of(&name).into(), text_value_of(&value))).collect();
    if listed.is_empty() { Labels::None } else { Labels::Listed(listed) }
}

/// Gives labels whose names are strings and whose values are strings and flags, as they nearly
/// always are; false if there are others, or none. Runs no code of users.
fn give_plain_labels(item: &Bound<'_, PyAny>, text: &mut LabelText<'_>) -> bool {
    let Ok(labels) = item.cast_exact::<PyDict>() else {
        return false;
    };
    for (name, value) in labels {
        let name = name.cast_exact::<PyString>().ok().and_then(|name| name.to_str().ok());
        let Some(name) = name else { return false };
        if let Ok(value) = value.cast_exact::<PyString>() {
            let Ok(value) = value.to_str() else { return false };
            text.add_text(name, value);
        } else if let Ok(value) = value.cast_exact::<PyBool>() {
            text.add_flag(name, value.is_true());
        } else {
            return false;
        }
    }
    !labels.is_empty()
}

/// Writes the line of one row.
pub(crate) fn add_line(
    py: Python<'_>,
    lines: &mut Lines<'_>,
    value: &RecordValue,
    labels: &RecordLabels,
    method: &RecordMethod,
) {
    if let (RecordValue::Number(_, number), RecordMethod::Path(path)) = (value, method) {
        match labels {
            RecordLabels::None => return lines.add_number(path, *number, None),
            RecordLabels::ErrorRaised(raised) => {
                return lines.add_number(path, *number, Some(*raised));
            }
            RecordLabels::Object(item) => {
                let give = |text: &mut LabelText<'_>| give_plain_labels(item.bind(py), text);
                if lines.add_number_labelled(path, *number, give) {
                    return;
                }
            }
        }
    }
    lines.add(&method.for_text(py), &value.for_text(py), &labels.for_text(py));
}

fn json_labels_of(item: &Bound<'_, PyAny>, unserializable: &mut UnserializableKinds) -> Labels {
    let Ok(labels) = item.cast::<PyDict>() else {
        return Labels::Other(json_value::value_of(item, FIELD_DEPTH, unserializable));
    };
    let mut listed = Vec::with_capacity(labels.len());
    for (name, value) in entries(labels) {
        let name = json_value::key_of(&name, unserializable);
        listed.push((name, json_value::value_of(&value, VALUE_DEPTH, unserializable)));
    }
    Labels::Listed(listed.into())
}

impl RecordValue {
    /// The value in its text form, free of the interpreter.
    pub(crate) fn for_text(&self, py: Python<'_>) -> Value {
        match self {
            Self::Number(_, number) => Value::Float(*number),
            Self::Object(item) => text_value_in(item.bind(py)),
        }
    }

    /// Operation and value for JSON; `unserializable` gets the kinds of what JSON cannot hold.
    pub(crate) fn for_json(
        &self,
        py: Python<'_>,
        unserializable: &mut UnserializableKinds,
    ) -> (Option<Cow<'static, str>>, Value) {
        match self {
            Self::Number(operation, number) => {
                (Some(Cow::Borrowed(operation.name())), Value::Float(*number))
            }
            Self::Object(item) => json_value_in(item.bind(py), unserializable),
        }
    }
}

impl RecordLabels {
    /// The labels in their text form, free of the interpreter.
    pub(crate) fn for_text(&self, py: Python<'_>) -> Labels {
        match self {
            Self::None => Labels::None,
            Self::ErrorRaised(raised) => Labels::ErrorRaised(*raised),
            Self::Object(item) => text_labels_of(item.bind(py)),
        }
    }

    /// The labels for JSON; `unserializable` gets the kinds of what JSON cannot hold.
    pub(crate) fn for_json(
        &self,
        py: Python<'_>,
        unserializable: &mut UnserializableKinds,
    ) -> Labels {
        match self {
            Self::None => Labels::None,
            Self::ErrorRaised(raised) => Labels::ErrorRaised(*raised),
            Self::Object(item) => json_labels_of(item.bind(py), unserializable),
        }
    }
}

impl RecordMethod {
    /// The context in its text form, free of the interpreter.
    pub(crate) fn for_text(&self, py: Python<'_>) -> Rc<Path> {
        match self {
            Self::Path(path) => Rc::clone(path),
            Self::Object(item) => Path::literal(&text_of(item.bind(py))),
        }
    }
}

/// The line of text of a record as Python handlers get it.
///
/// Errors: `KeyError` for a missing key.
pub(crate) fn dict_to_text(name: &str, record: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = |key: &str| -> PyResult<String> { Ok(text_of(&record.get_item(key)?)) };
    let value = text_value_in(&record.get_item("value")?);
    let metric = Metric::new(name, "", &text("units")?, "");
    let method = Path::literal(&text("method")?);
    let mut lines = Lines::new(&metric, 1);
    lines.add(&method, &value, &text_labels_of(&record.get_item("labels")?));
    Ok(lines.text)
}
