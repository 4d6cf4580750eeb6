//! Batches as they go to a broker: one compact JSON array, from columns or from dicts.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::core::json::JsonArray;

use super::cell::{Columns, LabelCell, MethodCell, ValueCell};
use super::json_value::{IN_BATCH, Writer};
use super::metric::Metric;
use super::refused::Refused;

/// The wire form of rows of a metric: the same bytes as [`records_to_json`] makes of their
/// dicts. `refused` gets the kinds of what JSON cannot hold.
///
/// Errors: `AttributeError` if the metric was not initialised.
pub(crate) fn columns_to_json(
    py: Python<'_>,
    metric: &Metric,
    columns: &Columns,
    refused: &mut Refused,
) -> PyResult<Vec<u8>> {
    let head = metric.written(py, refused)?;
    let mut array = JsonArray::new(&head, columns.complete());
    let rows = columns.values.iter().zip(&columns.labels).zip(&columns.methods);
    for ((value, labels), method) in rows {
        let plain = match labels {
            LabelCell::None => Some(None),
            LabelCell::ErrorRaised(raised) => Some(Some(*raised)),
            LabelCell::Object(_) => None,
        };
        if let (ValueCell::Number(operation, number), Some(raised), MethodCell::Path(path)) =
            (value, plain, method)
        {
            array.add_number(path, operation.name(), *number, raised);
        } else {
            let (operation, value) = value.for_json(py, refused);
            let labels = labels.for_json(py, refused);
            array.add(&method.for_json(py, refused), operation.as_deref(), &value, &labels);
        }
    }
    Ok(array.finish())
}

/// The wire form of records that are dicts; keys stay in the order of each dict. What JSON
/// cannot hold is told to `logger`.
///
/// Errors: `TypeError` if `records` cannot be iterated.
#[pyfunction]
#[pyo3(signature = (records, logger=None))]
pub(crate) fn records_to_json<'py>(
    records: &Bound<'py, PyAny>,
    logger: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = records.py();
    let mut refused = Refused::default();
    let mut writer = Writer::new(IN_BATCH, &mut refused);
    let mut separator = b'[';
    for record in records.try_iter()? {
        writer.out.push(separator);
        writer.write(&record?);
        separator = b',';
    }
    writer.leave(separator, *b"[]");
    let json = PyBytes::new(py, &writer.out);
    refused.log(py, logger)?;
    Ok(json)
}
