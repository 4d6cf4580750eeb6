//! A metric's columns as the three lists that users see and edit.

use std::rc::Rc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::metric::base::Metric;
use crate::metric::columns::Columns;
use crate::metric::record_labels::RecordLabels;
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::RecordValue;
use crate::tree::node::Node;

/// The lengths of the columns: values, labels, methods.
pub(crate) type Lengths = (usize, usize, usize);

/// A column; the numbers are those of `phanos._metrics.columns.ColumnIndex`.
#[derive(Clone, Copy)]
pub(crate) enum ColumnIndex {
    Values,
    Labels,
    Methods,
}

impl FromPyObject<'_, '_> for ColumnIndex {
    type Error = PyErr;

    fn extract(index: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match index.extract::<u8>()? {
            0 => Ok(Self::Values),
            1 => Ok(Self::Labels),
            2 => Ok(Self::Methods),
            other => Err(PyValueError::new_err(format!("no column {other}"))),
        }
    }
}

impl Metric {
    /// The items of a column, as a new list.
    pub(crate) fn items<'py>(
        &self,
        py: Python<'py>,
        column: ColumnIndex,
    ) -> PyResult<Bound<'py, PyList>> {
        let length = self.with_columns(py, |columns| match column {
            ColumnIndex::Values => columns.values.len(),
            ColumnIndex::Labels => columns.labels.len(),
            ColumnIndex::Methods => columns.methods.len(),
        });
        let items = PyList::empty(py);
        for index in 0..length {
            let item = match column {
                ColumnIndex::Values => self
                    .with_columns(py, |columns| columns.values.get(index).map(|v| v.copied(py)))
                    .map(|value| value.to_python(py)),
                ColumnIndex::Labels => self
                    .with_columns(py, |columns| columns.labels.get(index).map(|l| l.copied(py)))
                    .map(|labels| labels.to_python(py)),
                ColumnIndex::Methods => self
                    .with_columns(py, |columns| columns.methods.get(index).map(|m| m.copied(py)))
                    .map(|method| Ok(method.to_python(py))),
            };
            let Some(item) = item else { break };
            items.append(item?)?;
        }
        Ok(items)
    }

    /// Replaces a column by `items`.
    ///
    /// Errors: what iterating over `items` raises.
    pub(crate) fn replace_items(
        &self,
        py: Python<'_>,
        column: ColumnIndex,
        items: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let items = items.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        match column {
            ColumnIndex::Values => {
                let values =
                    items.into_iter().map(|item| RecordValue::Object(item.unbind())).collect();
                drop(self.change(py, |columns| std::mem::replace(&mut columns.values, values)));
            }
            ColumnIndex::Labels => {
                let labels =
                    items.into_iter().map(|item| RecordLabels::Object(item.unbind())).collect();
                drop(self.change(py, |columns| std::mem::replace(&mut columns.labels, labels)));
            }
            ColumnIndex::Methods => {
                let methods =
                    items.into_iter().map(|item| RecordMethod::Object(item.unbind())).collect();
                drop(self.change(py, |columns| std::mem::replace(&mut columns.methods, methods)));
            }
        }
        Ok(())
    }

    /// The lengths of the three columns.
    pub(crate) fn lengths(&self, py: Python<'_>) -> Lengths {
        self.with_columns(py, |columns| {
            (columns.values.len(), columns.labels.len(), columns.methods.len())
        })
    }

    /// Truncates the columns to lengths from [`Self::lengths`].
    pub(crate) fn truncate(&self, py: Python<'_>, lengths: Lengths) {
        drop(self.change(py, |columns| Columns {
            values: columns.values.split_off(lengths.0.min(columns.values.len())),
            labels: columns.labels.split_off(lengths.1.min(columns.labels.len())),
            methods: columns.methods.split_off(lengths.2.min(columns.methods.len())),
        }));
    }

    /// Appends `labels` and `method` until both columns are as long as the values.
    pub(crate) fn fill(
        &self,
        py: Python<'_>,
        labels: &Bound<'_, PyAny>,
        method: &Bound<'_, PyAny>,
    ) {
        let path = method.cast::<Node>().ok().map(|node| node.get().path(py));
        self.with_columns(py, |columns| {
            while columns.labels.len() < columns.values.len() {
                columns.labels.push(RecordLabels::Object(labels.clone().unbind()));
            }
            while columns.methods.len() < columns.values.len() {
                columns.methods.push(match &path {
                    Some(path) => RecordMethod::Path(Rc::clone(path)),
                    None => RecordMethod::Object(method.clone().unbind()),
                });
            }
        });
    }
}
