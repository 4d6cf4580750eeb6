//! From records to what the network side takes: rows of a metric as they are, dicts as the
//! JSON that they will be.

use std::rc::Rc;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::core::path::{Path, TextSlot};
use crate::core::record;
use crate::delivery::{Chunk, Content, Other, Sender};

use super::cell::{Columns, LabelCell, MethodCell, ValueCell, string_of};
use super::json_value::{record_to_json, records_to_json};

/// A row on its way: what it was made in, and what it measured.
type Row = (Rc<Path>, Content);

/// Takes a metric's rows; true if the call that made one of them failed.
pub(super) fn push_columns(
    py: Python<'_>,
    sender: &Sender,
    metric: &Arc<record::Metric>,
    columns: &Columns,
) -> bool {
    // Conversions that call into Python come first: nothing of the kind may happen while
    // the buffer is open.
    let rows = columns.values.iter().zip(&columns.labels).zip(&columns.methods);
    let odd = rows.clone().any(|((value, labels), method)| plain(value, labels, method).is_none());
    let converted: Vec<Row> = if odd {
        rows.clone()
            .map(|((value, labels), method)| converted(py, value, labels, method))
            .collect()
    } else {
        Vec::new()
    };
    let mut raised = false;
    sender.push(|chunk| {
        let number = chunk.metric(metric);
        if odd {
            for (path, content) in converted {
                raised |= content.error_raised();
                put(chunk, number, &path, content);
            }
            return;
        }
        for ((value, labels), method) in rows {
            if let Some((path, content)) = plain(value, labels, method) {
                raised |= content.error_raised();
                put(chunk, number, path, content);
            }
        }
    });
    raised
}

fn put(chunk: &mut Chunk, metric: u32, path: &Rc<Path>, content: Content) {
    let slot = chunk.text(path.slot().get(), |text| path.write_text(text));
    path.slot().set(slot);
    chunk.push(metric, slot, content);
}

/// A row that needs no conversion.
fn plain<'a>(
    value: &ValueCell,
    labels: &LabelCell,
    method: &'a MethodCell,
) -> Option<(&'a Rc<Path>, Content)> {
    let error_raised = match labels {
        LabelCell::None => None,
        LabelCell::ErrorRaised(raised) => Some(*raised),
        LabelCell::Object(_) => return None,
    };
    match (value, method) {
        (ValueCell::Number(operation, number), MethodCell::Path(path)) => {
            Some((path, Content::Number { operation: *operation, error_raised, number: *number }))
        }
        _ => None,
    }
}

fn converted(py: Python<'_>, value: &ValueCell, labels: &LabelCell, method: &MethodCell) -> Row {
    if let Some((path, content)) = plain(value, labels, method) {
        return (Rc::clone(path), content);
    }
    let (operation, value) = value.written(py);
    let labels = labels.written(py);
    (method.written(py), Content::Other(Box::new(Other::Value { operation, value, labels })))
}

/// Takes records as Python handlers get them.
pub(super) fn push_dicts(sender: &Sender, name: &str, records: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut rows = Vec::new();
    for record in records.try_iter()? {
        let record = record?;
        let json = record_to_json(&record)?;
        // Only name and job count: the record itself is JSON already.
        let metric = record::Metric::new(name, "", "", &text_at(&record, "job")?);
        rows.push((metric, json));
    }
    sender.push(|chunk| {
        let mut last: Option<(Arc<record::Metric>, u32)> = None;
        for (metric, json) in rows {
            let number = match &last {
                Some((known, number)) if known.job() == metric.job() => *number,
                _ => {
                    let metric = Arc::new(metric);
                    let number = chunk.metric(&metric);
                    last = Some((metric, number));
                    number
                }
            };
            let json = Content::Other(Box::new(Other::Json(json.into())));
            chunk.push(number, TextSlot::default(), json);
        }
    });
    Ok(())
}

fn text_at(record: &Bound<'_, PyAny>, key: &str) -> PyResult<String> {
    let value = record.get_item(key)?;
    let text = value.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!("{key} of a record must be a str, got {value:?}"))
    })?;
    Ok(string_of(text))
}

/// One message's worth of records.
pub(super) struct Message {
    pub(super) routing_key: String,
    pub(super) records: u32,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Of records as Python handlers get them, at least one.
    pub(super) fn of_dicts(records: &Bound<'_, PyAny>) -> PyResult<Self> {
        let first = records.get_item(0)?;
        if first.cast::<PyDict>().is_err() {
            let message = format!("records must be dicts, got {first:?}");
            return Err(PyTypeError::new_err(message));
        }
        Ok(Self {
            routing_key: text_at(&first, intern!(records.py(), "job").to_str()?)?,
            records: u32::try_from(records.len()?).unwrap_or(u32::MAX),
            body: records_to_json(records)?,
        })
    }
}
