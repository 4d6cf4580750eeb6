//! What a broker would get, for whoever wants to see it.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::refused::Refused;
use crate::rabbitmq::outgoing::body_of_dicts;

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
    let (_, body) = body_of_dicts(records, &mut refused)?;
    refused.log(py, logger)?;
    Ok(PyBytes::new(py, &body))
}
