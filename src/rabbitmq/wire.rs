//! The bodies of messages, to be looked at without a broker.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::settled;
use crate::convert::unserializable::UnserializableKinds;
use crate::metric::base::Metric;
use crate::rabbitmq::enqueue::{body_of_columns, body_of_dicts};

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
    let mut unserializable = UnserializableKinds::default();
    let (_, body) = body_of_dicts(records, &mut unserializable)?;
    settled::take_kinds(py, &mut unserializable);
    unserializable.log(py, logger)?;
    Ok(PyBytes::new(py, &body))
}

/// The wire form of the records that wait in `metric`. What JSON cannot hold is logged to
/// the metric's logger.
#[pyfunction]
pub(crate) fn waiting_to_json<'py>(metric: &Bound<'py, Metric>) -> PyResult<Bound<'py, PyBytes>> {
    let py = metric.py();
    let columns = metric.get().copied(py);
    let mut unserializable = UnserializableKinds::default();
    let head = metric.get().metadata.encoded(py, &mut unserializable)?;
    let body = body_of_columns(py, &head, &columns, &mut unserializable);
    settled::take_kinds(py, &mut unserializable);
    unserializable.log(py, Some(metric.as_any()))?;
    Ok(PyBytes::new(py, &body))
}
