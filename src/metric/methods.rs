//! The methods of `MetricStore` for Python: attributes, records, columns, operations.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use phanos_core::record::Operation;

use crate::interp::garbage::Traverse;
use crate::interp::once::intern;
use crate::metric::base::Metric;
use crate::metric::label_check::check_labels;
use crate::metric::lists::{ColumnIndex, Lengths};
use crate::metric::log;
use crate::metric::operation;
use crate::metric::operation_defaults::OperationDefaults;
use crate::metric::record_dict::RecordTemplate;
use crate::metric::value_check::OperationKind;
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

#[pymethods]
impl Metric {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn __new__(_args: &Bound<'_, PyAny>, _kwargs: Option<&Bound<'_, PyAny>>) -> Self {
        Self::new()
    }

    #[getter(name)]
    fn get_name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.name(py)
    }

    #[setter(name)]
    fn set_name(&self, py: Python<'_>, name: Py<PyAny>) {
        self.metadata.set_attribute(py, name, |metadata| &mut metadata.name);
    }

    #[getter]
    fn get_units(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |metadata| &metadata.units)
    }

    #[setter]
    fn set_units(&self, py: Python<'_>, units: Py<PyAny>) {
        self.metadata.set_attribute(py, units, |metadata| &mut metadata.units);
    }

    #[getter]
    fn get_job(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |metadata| &metadata.job)
    }

    #[setter]
    fn set_job(&self, py: Python<'_>, job: Py<PyAny>) {
        self.metadata.set_attribute(py, job, |metadata| &mut metadata.job);
    }

    #[getter]
    fn get_metric(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |metadata| &metadata.kind)
    }

    #[setter]
    fn set_metric(&self, py: Python<'_>, kind: Py<PyAny>) {
        self.metadata.set_attribute(py, kind, |metadata| &mut metadata.kind);
    }

    #[getter(label_names)]
    fn get_label_names(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.label_names(py)
    }

    #[setter]
    fn set_label_names(&self, py: Python<'_>, names: &Bound<'_, PyAny>) -> PyResult<()> {
        let names = match names.cast::<PySet>() {
            Ok(names) => names.clone(),
            Err(_) => PySet::new(py, names.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
        };
        self.metadata
            .set_attribute(py, names.into_any().unbind(), |metadata| &mut metadata.label_names);
        Ok(())
    }

    fn to_records<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let metric = slf.get();
        // The attributes are read by Python, since a subclass may define them in its own way.
        let template = RecordTemplate::new(
            &slf.getattr(intern!(py, "metric"))?,
            &slf.getattr(intern!(py, "units"))?,
            &slf.getattr(intern!(py, "job"))?,
        )?;
        if !metric.with_columns(py, |columns| columns.is_even()) {
            log::log_rate_limited(
                slf,
                "incomplete",
                "values, label_values and method differ in length; only complete records go out",
            )?;
        }
        let records = PyList::empty(py);
        let complete = metric.with_columns(py, |columns| columns.complete());
        for index in 0..complete {
            let row = metric.with_columns(py, |columns| {
                let value = columns.values.get(index)?.copied(py);
                let labels = columns.labels.get(index)?.copied(py);
                Some((value, labels, columns.methods.get(index)?.copied(py)))
            });
            let Some((value, labels, method)) = row else {
                break;
            };
            records.append(template.record(&value, &labels, &method)?)?;
        }
        Ok(records)
    }

    fn cleanup(&self, py: Python<'_>) {
        drop(self.take(py));
    }

    /// The items of a column, as a new list.
    fn _column<'py>(&self, py: Python<'py>, column: ColumnIndex) -> PyResult<Bound<'py, PyList>> {
        self.items(py, column)
    }

    /// Replaces a column by `items`.
    fn _set_column(
        &self,
        py: Python<'_>,
        column: ColumnIndex,
        items: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.replace_items(py, column, items)
    }

    /// Moves the waiting records to this thread or greenlet alone, until `_restore`, so that it can
    /// change one column after the other.
    fn _checkout(&self, py: Python<'_>) {
        self.checkout(py);
    }

    /// Ends `_checkout`: the records that are left come before those stored meanwhile.
    fn _restore(&self, py: Python<'_>) {
        self.restore(py);
    }

    /// The lengths of the three columns.
    fn _lengths(&self, py: Python<'_>) -> Lengths {
        self.lengths(py)
    }

    /// Truncates the columns to lengths from `_lengths`.
    fn _cut(&self, py: Python<'_>, lengths: Lengths) {
        self.truncate(py, lengths);
    }

    /// In a forked child: drops all records, those that threads of the parent have checked out
    /// included.
    fn _forget_inherited(&self, py: Python<'_>) {
        self.forget_inherited(py);
    }

    /// Appends `labels` and `method` until both columns are as long as the values.
    fn _fill(&self, py: Python<'_>, labels: &Bound<'_, PyAny>, method: &Bound<'_, PyAny>) {
        self.fill(py, labels, method);
    }

    /// The labels that a record gets: a copy of `labels`, with `error_raised` if the metric has it.
    /// `None`, after logging an error, if the names are not those of the metric.
    fn _labels<'py>(
        slf: &Bound<'py, Self>,
        labels: Option<Bound<'py, PyAny>>,
        operation: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let checked = check_labels(slf, labels, operation)?;
        checked.map(|labels| labels.to_python(slf.py())).transpose()
    }

    /// The node of an operation that is given none.
    fn _current_node<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Node>> {
        operation::current_node(slf)
    }

    /// Sets method and labels for the operations without them that this thread or greenlet calls,
    /// until its next `_set_operation_defaults`.
    fn _set_operation_defaults(
        &self,
        py: Python<'_>,
        method: Option<Py<PyAny>>,
        labels: Option<Py<PyAny>>,
    ) {
        self.defaults.set(py, OperationDefaults { method, labels });
    }

    /// Logs an error, at most one a minute of each `kind`.
    fn _log_rate_limited(slf: &Bound<'_, Self>, kind: &str, message: &str) -> PyResult<()> {
        log::log_rate_limited(slf, kind, message)
    }

    /// Makes the profiler of `tree` the owner: operations use its current node, and it counts the
    /// waiting records.
    fn _attach(&self, py: Python<'_>, tree: Option<Py<CallTree>>) {
        self.set_owner(py, tree);
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _observe(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(
            slf,
            OperationKind::Number(Operation::Observe),
            &value,
            current_node,
            label_values,
        )
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _inc(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(
            slf,
            OperationKind::Number(Operation::Inc),
            &value,
            current_node,
            label_values,
        )
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _dec(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(
            slf,
            OperationKind::Number(Operation::Dec),
            &value,
            current_node,
            label_values,
        )
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _set(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(
            slf,
            OperationKind::Number(Operation::Set),
            &value,
            current_node,
            label_values,
        )
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _info(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(slf, OperationKind::Info, &value, current_node, label_values)
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _state(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(slf, OperationKind::State, &value, current_node, label_values)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.clear(py);
    }
}
