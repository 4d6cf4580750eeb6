//! What a metric's columns hold: numbers, flags and paths as they are, other things as the
//! Python objects they came as. Conversions to Python and to the core's records.

use std::borrow::Cow;
use std::rc::Rc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PySequence, PyString, PyTuple};

use crate::core::column;
use crate::core::path::{Path, item_of};
pub(crate) use crate::core::record::Operation;
use crate::core::record::{ERROR_RAISED, Labels, Metric, Record};
use crate::core::value::Value;

pub(crate) enum ValueCell {
    /// `(operation, number)`.
    Number(Operation, f64),
    /// `(operation, object)`, or whatever a user put into the list.
    Object(Py<PyAny>),
}

pub(crate) enum LabelCell {
    None,
    ErrorRaised(bool),
    Object(Py<PyAny>),
}

pub(crate) enum MethodCell {
    Path(Rc<Path>),
    Object(Py<PyAny>),
}

pub(crate) type Columns = column::Columns<ValueCell, LabelCell, MethodCell>;

impl ValueCell {
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
                let operation = PyString::intern(py, operation.name());
                Ok((operation, PyFloat::new(py, *number)).into_pyobject(py)?.into_any())
            }
            Self::Object(item) => Ok(item.bind(py).clone()),
        }
    }
}

impl LabelCell {
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

impl MethodCell {
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

/// The strings of a metric that every record dict repeats.
pub(crate) struct RecordHead<'py> {
    pub(crate) metric: Bound<'py, PyAny>,
    pub(crate) units: Bound<'py, PyAny>,
    pub(crate) job: Bound<'py, PyAny>,
}

impl<'py> RecordHead<'py> {
    /// One record as Python handlers get it.
    pub(crate) fn record(
        &self,
        py: Python<'py>,
        value: &ValueCell,
        labels: &LabelCell,
        method: &MethodCell,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (item, method) = match method {
            MethodCell::Path(path) => {
                let text = path.text();
                (PyString::new(py, item_of(&text)), PyString::new(py, &text).into_any())
            }
            MethodCell::Object(object) => {
                let text = object.bind(py).str()?;
                (PyString::new(py, item_of(&string_of(&text))), object.bind(py).clone())
            }
        };
        let record = PyDict::new(py);
        record.set_item(intern!(py, "item"), item)?;
        record.set_item(intern!(py, "metric"), &self.metric)?;
        record.set_item(intern!(py, "units"), &self.units)?;
        record.set_item(intern!(py, "job"), &self.job)?;
        record.set_item(intern!(py, "method"), method)?;
        record.set_item(intern!(py, "labels"), labels.to_item(py)?)?;
        record.set_item(intern!(py, "value"), value.to_item(py)?)?;
        Ok(record)
    }
}

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
    object
        .str()
        .map_or_else(|_| format!("<{} without text>", class_name(object)), |text| string_of(&text))
}

/// The name of an object's class, for messages.
pub(crate) fn class_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".into(), |name| string_of(&name))
}

/// A label's or operation's value, free of the interpreter.
pub(crate) fn value_of(object: &Bound<'_, PyAny>) -> Value {
    if object.is_none() {
        Value::None
    } else if let Ok(flag) = object.cast_exact::<PyBool>() {
        Value::Bool(flag.is_true())
    } else if let Ok(number) = object.cast_exact::<PyFloat>() {
        Value::Float(number.value())
    } else if let Ok(text) = object.cast_exact::<PyString>() {
        Value::Text(string_of(text).into())
    } else if let Some(number) = integer_of(object) {
        number
    } else {
        let text: Box<str> = text_of(object).into();
        Value::Shown { json: Box::new(Value::Text(text.clone())), text }
    }
}

fn integer_of(object: &Bound<'_, PyAny>) -> Option<Value> {
    let number = object.cast_exact::<PyInt>().ok()?;
    match number.extract::<i64>() {
        Ok(small) => Some(Value::Int(small)),
        Err(_) => number.extract::<u64>().ok().map(Value::Unsigned),
    }
}

/// `(operation, value)` of a values item; other shapes count as a value without operation.
fn operation_of(item: &Bound<'_, PyAny>) -> (Cow<'static, str>, Value) {
    // A tuple, or a list where a record came back from JSON.
    if let Ok(pair) = item.cast::<PySequence>()
        && (item.is_instance_of::<PyTuple>() || item.is_instance_of::<PyList>())
        && let (Ok(2), Ok(operation), Ok(value)) = (pair.len(), pair.get_item(0), pair.get_item(1))
    {
        return (Cow::Owned(text_of(&operation)), value_of(&value));
    }
    (Cow::Borrowed(""), value_of(item))
}

fn labels_of(item: &Bound<'_, PyAny>) -> Labels {
    match item.cast::<PyDict>() {
        Ok(labels) if labels.is_empty() => Labels::None,
        Ok(labels) => Labels::Listed(
            labels.iter().map(|(name, value)| (text_of(&name).into(), value_of(&value))).collect(),
        ),
        Err(_) => Labels::None,
    }
}

impl ValueCell {
    /// Operation and value, free of the interpreter.
    pub(crate) fn written(&self, py: Python<'_>) -> (Cow<'static, str>, Value) {
        match self {
            Self::Number(operation, number) => {
                (Cow::Borrowed(operation.name()), Value::Float(*number))
            }
            Self::Object(item) => operation_of(item.bind(py)),
        }
    }
}

impl LabelCell {
    /// The labels, free of the interpreter.
    pub(crate) fn written(&self, py: Python<'_>) -> Labels {
        match self {
            Self::None => Labels::None,
            Self::ErrorRaised(raised) => Labels::ErrorRaised(*raised),
            Self::Object(item) => labels_of(item.bind(py)),
        }
    }
}

impl MethodCell {
    /// The context, free of the interpreter.
    pub(crate) fn written(&self, py: Python<'_>) -> Rc<Path> {
        match self {
            Self::Path(path) => Rc::clone(path),
            Self::Object(item) => Path::literal(&text_of(item.bind(py))),
        }
    }
}

/// A record as Python handlers get it, back in the core's form: its metric and itself.
///
/// Errors: `KeyError` for a missing key.
pub(crate) fn from_dict(
    name: &str,
    record: &Bound<'_, PyAny>,
) -> PyResult<(Metric, Record<Box<str>>)> {
    let text = |key: &str| -> PyResult<Box<str>> { Ok(text_of(&record.get_item(key)?).into()) };
    let (operation, value) = operation_of(&record.get_item("value")?);
    let kind = text("metric").unwrap_or_default();
    let metric = Metric::new(name, &kind, &text("units")?, &text("job").unwrap_or_default());
    let record = Record {
        method: text("method")?,
        operation,
        value,
        labels: labels_of(&record.get_item("labels")?),
    };
    Ok((metric, record))
}
