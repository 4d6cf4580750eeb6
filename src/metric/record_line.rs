//! Records as lines of text.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use phanos_core::lines::{LabelText, Lines};
use phanos_core::path::Path;
use phanos_core::record::Metric;

use crate::convert::text::text_of;
use crate::metric::record_labels::{RecordLabels, labels_for_text};
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::{RecordValue, value_for_text};

/// Appends the line of one record to `lines`.
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
            RecordLabels::Object(object) => {
                let add = |text: &mut LabelText<'_>| add_plain_labels(object.bind(py), text);
                if lines.add_number_labelled(path, *number, add) {
                    return;
                }
            }
        }
    }
    lines.add(&method.for_text(py), &value.for_text(py), &labels.for_text(py));
}

/// Appends labels whose names are strings and whose values are strings and booleans, as they
/// nearly always are; false if there are others, or none. Runs no code of users.
fn add_plain_labels(object: &Bound<'_, PyAny>, text: &mut LabelText<'_>) -> bool {
    let Ok(labels) = object.cast_exact::<PyDict>() else {
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

/// The line of a record that is a dict, as handlers written in Python get it.
///
/// Errors: `KeyError` for a missing key.
pub(crate) fn dict_to_line(metric_name: &str, record: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = |key: &str| -> PyResult<String> { Ok(text_of(&record.get_item(key)?)) };
    let value = value_for_text(&record.get_item("value")?);
    let metric = Metric::new(metric_name, "", &text("units")?, "");
    let method = Path::literal(&text("method")?);
    let mut lines = Lines::new(&metric, 1);
    lines.add(&method, &value, &labels_for_text(&record.get_item("labels")?));
    Ok(lines.text)
}
