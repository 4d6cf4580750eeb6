//! Metric operations: which values and labels are taken, which call they belong to.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PySet, PyString, PyTuple};

use phanos_core::label;
use phanos_core::record::ERROR_RAISED;

use crate::convert::rate_limit::admit_line;
use crate::convert::text::{class_name, text_of};
use crate::interp::exceptions;
use crate::interp::user_code;
use crate::metric::base::Metric;
use crate::metric::columns::{Operation, RecordLabels, RecordMethod, RecordValue};
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

/// Logs an error about `metric` unless one of this `kind` was logged within a minute.
///
/// Errors: only what must not be swallowed, such as `KeyboardInterrupt`.
pub(crate) fn log_rate_limited(
    metric: &Bound<'_, Metric>,
    kind: &str,
    message: &str,
) -> PyResult<()> {
    let py = metric.py();
    let name = metric.getattr(intern!(py, "name")).map(|name| text_of(&name)).unwrap_or_default();
    let kind = format!("{}|{kind}", metric.get().serial);
    let class = class_name(metric);
    let line = || format!("'{class}': metric '{name}' {message}");
    let Some(line) = admit_line(py, &kind, line) else {
        return Ok(());
    };
    let line = PyString::new(py, &line);
    let told = user_code::call_method(metric, intern!(py, "error"), &[intern!(py, "%s"), &line]);
    exceptions::swallow(py, told)?;
    Ok(())
}

/// What an operation stores.
#[derive(Clone, Copy)]
pub(crate) enum Stored {
    Number(Operation),
    Info,
    State,
}

impl Stored {
    fn name(self) -> &'static str {
        match self {
            Self::Number(operation) => operation.name(),
            Self::Info => "info",
            Self::State => "state",
        }
    }
}

/// Which values an operation takes.
fn accepted(
    metric: &Bound<'_, Metric>,
    stored: Stored,
    value: &Bound<'_, PyAny>,
) -> PyResult<Result<RecordValue, String>> {
    let py = metric.py();
    let expected = |what: &str| {
        let shown = value.repr().map_or_else(|_| "a value".to_owned(), |text| text.to_string());
        let class = class_name(value);
        let operation = stored.name();
        format!("operation '{operation}' accepts only {what}, got {shown} of type {class}")
    };
    match stored {
        Stored::Info => {
            let Ok(info) = value.cast::<PyDict>() else {
                return Ok(Err(expected("dict values")));
            };
            Ok(Ok(pair(py, stored.name(), info.copy()?.into_any())?))
        }
        Stored::State => {
            let states = metric.getattr(intern!(py, "states"))?;
            if !states.contains(value).unwrap_or(false) {
                let states = states.repr().map(|text| text.to_string()).unwrap_or_default();
                return Ok(Err(expected(&format!("one of the states {states}"))));
            }
            Ok(Ok(pair(py, stored.name(), value.clone())?))
        }
        Stored::Number(operation) => {
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

fn pair(py: Python<'_>, operation: &str, value: Bound<'_, PyAny>) -> PyResult<RecordValue> {
    let operation = PyString::intern(py, operation).into_any();
    Ok(RecordValue::Object(PyTuple::new(py, [operation, value])?.into_any().unbind()))
}

/// The value as a float, if it is a real number at all.
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
    let real = numbers.getattr(intern!(py, "Real")).ok()?;
    if !value.is_instance(&real).unwrap_or(false) {
        return None;
    }
    value.call_method0(intern!(py, "__float__")).ok()?.extract().ok()
}

/// The labels a record gets, or `None` (and a logged error) if their names do not match.
pub(crate) fn label_cell(
    metric: &Bound<'_, Metric>,
    labels: Option<Bound<'_, PyAny>>,
    operation: &str,
) -> PyResult<Option<RecordLabels>> {
    let py = metric.py();
    let names = metric.getattr(intern!(py, "label_names"))?;
    let names = match names.cast_into::<PySet>() {
        Ok(names) => names,
        Err(other) => {
            PySet::new(py, other.into_inner().try_iter()?.collect::<PyResult<Vec<_>>>()?)?
        }
    };
    let error_raised = intern!(py, ERROR_RAISED);
    let wants_error = names.contains(error_raised)?;
    let expected = names.len() - usize::from(wants_error);
    let given = match labels {
        None => None,
        Some(labels) if labels.is_none() => None,
        Some(labels) => match labels.cast_into::<PyDict>() {
            Ok(labels) => Some(labels),
            Err(other) => {
                let class = other.into_inner().get_type();
                let message =
                    format!("operation '{operation}' expects label_values as a dict, got {class}");
                log_rate_limited(metric, "label_values type", &message)?;
                return Ok(None);
            }
        },
    };
    // A copy is kept anyway; and nobody changes it while it is looked through.
    let given = match given.filter(|labels| !labels.is_empty()) {
        Some(labels) => Some(labels.copy()?),
        None => None,
    };
    if let Some(labels) = &given {
        let mut matching = 0;
        let mut unknown = false;
        for (name, _) in labels {
            if wants_error && (name.is(error_raised) || name.eq(error_raised)?) {
                continue;
            }
            if names.contains(&name).unwrap_or(false) {
                matching += 1;
            } else {
                unknown = true;
            }
        }
        if unknown || matching != expected {
            mismatch(metric, operation, &names, Some(labels), wants_error)?;
            return Ok(None);
        }
    } else if expected != 0 {
        mismatch(metric, operation, &names, None, wants_error)?;
        return Ok(None);
    }
    let raised = wants_error.then(|| exceptions::is_handling(py));
    Ok(Some(match (given, raised) {
        (None, None) => RecordLabels::None,
        (None, Some(raised)) => RecordLabels::ErrorRaised(raised),
        (Some(labels), raised) => {
            if let Some(raised) = raised {
                labels.set_item(error_raised, PyBool::new(py, raised))?;
            }
            RecordLabels::Object(labels.into_any().unbind())
        }
    }))
}

fn mismatch(
    metric: &Bound<'_, Metric>,
    operation: &str,
    names: &Bound<'_, PySet>,
    labels: Option<&Bound<'_, PyDict>>,
    wants_error: bool,
) -> PyResult<()> {
    let expected: Vec<String> = names.iter().map(|name| text_of(&name)).collect();
    let mut given: Vec<String> = match labels {
        Some(labels) => labels.keys().iter().map(|name| text_of(&name)).collect(),
        None => Vec::new(),
    };
    if wants_error {
        given.push(ERROR_RAISED.to_owned());
    }
    let checked =
        label::check(expected.iter().map(String::as_str), given.iter().map(String::as_str));
    let why = match checked {
        Err(mismatch) => mismatch.to_string(),
        // Names that only look alike: not strings on one side.
        Ok(()) => "label names must be strings".to_owned(),
    };
    let message = format!("operation '{operation}': {why}");
    log_rate_limited(metric, &format!("labels of {operation}"), &message)
}

/// The node an operation without one belongs to: the current one of the profiler that the
/// metric was added to, before that of the default profiler.
pub(crate) fn current_node<'py>(metric: &Bound<'py, Metric>) -> PyResult<Bound<'py, Node>> {
    let py = metric.py();
    match metric.get().owner(py) {
        Some(tree) => tree.get().current(py),
        None => match CallTree::default_tree(py) {
            Some(tree) => tree.get().current(py),
            None => Node::new_root(py),
        },
    }
}

/// Stores `value` under `operation` unless value or labels are wrong, which is logged.
///
/// `node` may be the labels (`op(value, labels)`).
///
/// Errors: `TypeError` if `node` is neither a node nor a dict; whatever the value's own
/// methods raise.
pub(crate) fn store(
    metric: &Bound<'_, Metric>,
    stored: Stored,
    value: &Bound<'_, PyAny>,
    node: Option<Bound<'_, PyAny>>,
    labels: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = metric.py();
    let operation = stored.name();
    let defaults = metric.get().defaults.current(py);
    let (node, labels) = match node {
        Some(node) if node.is_none() => (None, labels),
        Some(node) => match node.cast_into::<Node>() {
            Ok(node) => (Some(node), labels),
            Err(other) if labels.is_none() => (None, Some(other.into_inner())),
            Err(other) => {
                return Err(PyTypeError::new_err(format!(
                    "operation '{operation}' expects a MethodTreeNode as current_node, got {}",
                    other.into_inner().repr()?
                )));
            }
        },
        None => (None, labels),
    };
    let labels = labels.or_else(|| defaults.labels.map(|labels| labels.into_bound(py)));
    let Some(labels) = label_cell(metric, labels, operation)? else {
        return Ok(());
    };
    let value = match accepted(metric, stored, value)? {
        Ok(value) => value,
        Err(why) => {
            return log_rate_limited(metric, &format!("value of {operation}"), &why);
        }
    };
    let method = match (node, defaults.method) {
        (Some(node), _) => RecordMethod::Path(node.get().path(py)),
        (None, Some(method)) => RecordMethod::Object(method),
        (None, None) => RecordMethod::Path(current_node(metric)?.get().path(py)),
    };
    metric.get().push(py, value, labels, method);
    Ok(())
}
