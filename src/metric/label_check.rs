//! The check of the labels that an operation is called with.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PySet};

use phanos_core::label;
use phanos_core::record::ERROR_RAISED;

use crate::convert::settled;
use crate::convert::text::text_of;
use crate::interp::exceptions;
use crate::interp::once::{GilOnce, intern};
use crate::interp::user_code;
use crate::metric::base::Metric;
use crate::metric::log::log_rate_limited;
use crate::metric::record_labels::RecordLabels;

/// Set once a user has put an `eq_labels` in the place of ours, which all metrics are asked for from
/// then on: until then operations do not look.
static IS_REPLACED: AtomicBool = AtomicBool::new(false);
static ORIGINAL: GilOnce<Py<PyAny>> = GilOnce::new();

/// Notes that a metric, or a class of them, may have another `eq_labels` than `original`.
#[pyfunction]
pub(crate) fn eq_labels_replaced(py: Python<'_>, original: Bound<'_, PyAny>) {
    if !eq_labels_may_be_replaced() {
        ORIGINAL.set(py, original.unbind());
        IS_REPLACED.store(true, Ordering::Relaxed);
    }
}

/// True once any metric or class may have another `eq_labels`.
#[inline]
pub(crate) fn eq_labels_may_be_replaced() -> bool {
    IS_REPLACED.load(Ordering::Relaxed)
}

/// The `eq_labels` that a user put in the place of ours, if this metric has one.
#[inline]
pub(crate) fn replaced_eq_labels<'py>(
    metric: &Bound<'py, Metric>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if eq_labels_may_be_replaced() { look_for_eq_labels(metric) } else { Ok(None) }
}

#[cold]
fn look_for_eq_labels<'py>(metric: &Bound<'py, Metric>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = metric.py();
    let found = metric.getattr(intern!(py, "eq_labels"))?;
    let function = found.getattr_opt(intern!(py, "__func__"))?;
    let original = ORIGINAL.get(py);
    let is_ours = function.is_some_and(|function| original.is_some_and(|own| function.is(own)));
    Ok((!is_ours).then_some(found))
}

/// The labels that a record gets: a copy of those given, with `error_raised` if the metric has
/// that label. `None`, after logging an error, if their names are not those of the metric.
///
/// Errors: `MemoryError`, and what comparing users' label names, a user's `eq_labels` or
/// [`log_rate_limited`] raises.
pub(crate) fn check_labels(
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
    let has_error_raised = names.contains(error_raised)?;
    let expected = names.len() - usize::from(has_error_raised);
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
    // The record gets a copy anyway, and no other code can change that during the check.
    let given = match given.filter(|labels| !labels.is_empty()) {
        Some(labels) => Some(labels.copy()?),
        None => None,
    };
    if let Some(eq_labels) = replaced_eq_labels(metric)? {
        let all = PySet::empty(py)?;
        if let Some(labels) = &given {
            labels.keys().iter().try_for_each(|name| all.add(name))?;
        }
        if has_error_raised {
            all.add(error_raised)?;
        }
        if !user_code::call(&eq_labels, &[all.as_any()])?.is_truthy()? {
            log_mismatch(metric, operation, &names, given.as_ref(), has_error_raised)?;
            return Ok(None);
        }
        if let Some(labels) = &given {
            settled::settle_values(labels)?;
        }
    } else if let Some(labels) = &given {
        let mut matching = 0;
        let mut unknown = false;
        let mut is_settled = true;
        for (name, value) in labels {
            is_settled = is_settled && settled::is_scalar(&value);
            if has_error_raised && (name.is(error_raised) || name.eq(error_raised)?) {
                continue;
            }
            if names.contains(&name).unwrap_or(false) {
                matching += 1;
            } else {
                unknown = true;
            }
        }
        if unknown || matching != expected {
            log_mismatch(metric, operation, &names, Some(labels), has_error_raised)?;
            return Ok(None);
        }
        if !is_settled {
            settled::settle_values(labels)?;
        }
    } else if expected != 0 {
        log_mismatch(metric, operation, &names, None, has_error_raised)?;
        return Ok(None);
    }
    let raised = has_error_raised.then(|| exceptions::is_handling(py));
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

/// Logs which label names were expected and which were given.
fn log_mismatch(
    metric: &Bound<'_, Metric>,
    operation: &str,
    names: &Bound<'_, PySet>,
    labels: Option<&Bound<'_, PyDict>>,
    has_error_raised: bool,
) -> PyResult<()> {
    let expected: Vec<String> = names.iter().map(|name| text_of(&name)).collect();
    let mut given: Vec<String> = match labels {
        Some(labels) => labels.keys().iter().map(|name| text_of(&name)).collect(),
        None => Vec::new(),
    };
    if has_error_raised {
        given.push(ERROR_RAISED.to_owned());
    }
    let checked =
        label::check(expected.iter().map(String::as_str), given.iter().map(String::as_str));
    let why = match checked {
        Err(mismatch) => mismatch.to_string(),
        // Equal as text, so on one side a name is not a string, or `eq_labels` says no.
        Ok(()) => "label names must be strings that eq_labels accepts".to_owned(),
    };
    let message = format!("operation '{operation}': {why}");
    log_rate_limited(metric, &format!("labels of {operation}"), &message)
}
