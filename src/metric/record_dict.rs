//! Records as dicts, for handlers written in Python.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use phanos_core::path::item_of;

use crate::convert::text::text_of;
use crate::interp::once::intern;
use crate::metric::columns::{Columns, rows};
use crate::metric::record_labels::RecordLabels;
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::RecordValue;
use crate::tree::path_strings;

/// A dict with all keys of a record and the values that are the same in every record of a metric.
///
/// Copying it and replacing four values costs 60 ns less per record than seven insertions.
pub(crate) struct RecordTemplate<'py>(pub(crate) Bound<'py, PyDict>);

impl<'py> RecordTemplate<'py> {
    pub(crate) fn new(
        metric: &Bound<'py, PyAny>,
        units: &Bound<'py, PyAny>,
        job: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let py = metric.py();
        let record = PyDict::new(py);
        let replaced = py.None();
        record.set_item(intern!(py, "item"), &replaced)?;
        record.set_item(intern!(py, "metric"), metric)?;
        record.set_item(intern!(py, "units"), units)?;
        record.set_item(intern!(py, "job"), job)?;
        record.set_item(intern!(py, "method"), &replaced)?;
        record.set_item(intern!(py, "labels"), &replaced)?;
        record.set_item(intern!(py, "value"), &replaced)?;
        Ok(Self(record))
    }

    /// The dict of one record.
    pub(crate) fn record(
        &self,
        value: &RecordValue,
        labels: &RecordLabels,
        method: &RecordMethod,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = self.0.py();
        let record = self.0.copy()?;
        let (item, method) = match method {
            RecordMethod::Path(path) => {
                let (item, method) = path_strings::item_and_method(py, path);
                (item, method.into_any())
            }
            RecordMethod::Object(object) => {
                let text = text_of(object.bind(py));
                (PyString::new(py, item_of(&text)), object.bind(py).clone())
            }
        };
        record.set_item(intern!(py, "item"), item)?;
        record.set_item(intern!(py, "method"), method)?;
        record.set_item(intern!(py, "labels"), labels.to_python(py)?)?;
        record.set_item(intern!(py, "value"), value.to_python(py)?)?;
        Ok(record)
    }

    /// The dicts of all complete records in `columns`.
    pub(crate) fn records(&self, columns: &Columns) -> PyResult<Bound<'py, PyList>> {
        let records = PyList::empty(self.0.py());
        for (value, labels, method) in rows(columns) {
            records.append(self.record(value, labels, method)?)?;
        }
        Ok(records)
    }
}
