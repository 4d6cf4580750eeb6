//! Storage and operations beneath `phanos.metrics`: what every metric class inherits.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use phanos_core::path::Path;
use phanos_core::record::ERROR_RAISED;

use crate::interp::execution_id::{self, ExecutionId};
use crate::interp::garbage::{Traverse, impl_traverse};
use crate::interp::gil_cell::GilCell;
use crate::metric::columns::{Columns, Operation, RecordLabels, RecordMethod, RecordValue};
use crate::metric::lists::{ColumnIndex, Lengths};
use crate::metric::metadata::MetadataCell;
use crate::metric::operation::{self, Stored};
use crate::metric::operation_defaults::{OperationDefaults, ScopedDefaults};
use crate::metric::record_dict::Template;
use crate::metric::waiting_records::WaitingRecords;
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(0);

/// Labels that the profiler gives by itself.
#[derive(Clone, Copy)]
pub(crate) enum PlainLabels {
    None,
    ErrorRaised,
}

#[pyclass(name = "MetricStore", module = "phanos._phanos", subclass, frozen, weakref)]
pub(crate) struct Metric {
    store: GilCell<WaitingRecords>,
    /// Room of a batch that is gone, for the next one.
    spare: GilCell<Option<Columns>>,
    pub(crate) metadata: MetadataCell,
    /// The tree of the profiler that the metric was added to.
    owner: GilCell<Option<Py<CallTree>>>,
    pub(crate) defaults: ScopedDefaults,
    /// Tells metrics apart in what is logged once; names are used again.
    pub(crate) serial: u64,
}

impl_traverse!(Metric { owner, metadata, store, defaults });

impl Metric {
    pub(crate) fn with_columns<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&mut Columns) -> R,
    ) -> R {
        let done = self.store.with(py, |store| match store.shared() {
            Some(columns) => Ok(body(columns)),
            None => Err(body),
        });
        done.unwrap_or_else(|body| {
            let execution = ExecutionId::current(py);
            self.store.with(py, |store| body(store.columns(execution)))
        })
    }

    /// Changes the columns and keeps the owner's count of waiting records right.
    /// Whatever the change takes out is returned and dropped by the caller, outside.
    pub(crate) fn change<R>(&self, py: Python<'_>, body: impl FnOnce(&mut Columns) -> R) -> R {
        let (result, before, after) = self.with_columns(py, |columns| {
            let before = columns.len();
            let result = body(columns);
            (result, before, columns.len())
        });
        if before != after
            && let Some(owner) = self.owner.object(py)
        {
            owner.get().count_waiting(py, after, before);
        }
        result
    }

    pub(crate) fn push(
        &self,
        py: Python<'_>,
        value: RecordValue,
        labels: RecordLabels,
        method: RecordMethod,
    ) {
        self.change(py, |columns| columns.push(value, labels, method));
    }

    /// The same for a metric known to belong to `owner`, without looking it up.
    pub(crate) fn push_for(
        &self,
        py: Python<'_>,
        owner: &CallTree,
        number: f64,
        error_raised: Option<bool>,
        path: Rc<Path>,
    ) {
        self.with_columns(py, |columns| {
            // Made in place: a cell passed in would be copied with the processor waiting for
            // its bytes (20 ns).
            let value = RecordValue::Number(Operation::Observe, number);
            match error_raised {
                None => columns.push(value, RecordLabels::None, RecordMethod::Path(path)),
                Some(raised) => {
                    columns.push(
                        value,
                        RecordLabels::ErrorRaised(raised),
                        RecordMethod::Path(path),
                    );
                }
            }
        });
        owner.count_waiting(py, 1, 0);
    }

    /// The labels of a record to which no user gives labels; `None` if it needs some.
    pub(crate) fn plain_labels(&self, py: Python<'_>) -> Option<PlainLabels> {
        let names = self.label_names(py).ok()?.into_bound(py).cast_into::<PySet>().ok()?;
        match names.len() {
            0 => Some(PlainLabels::None),
            1 if names.contains(intern!(py, ERROR_RAISED)).unwrap_or(false) => {
                Some(PlainLabels::ErrorRaised)
            }
            _ => None,
        }
    }

    pub(crate) fn belongs_to(&self, py: Python<'_>, tree: &Py<CallTree>) -> bool {
        self.owner.with(py, |owner| owner.as_ref().is_some_and(|owner| owner.is(tree)))
    }

    pub(crate) fn owner(&self, py: Python<'_>) -> Option<Py<CallTree>> {
        self.owner.object(py)
    }

    /// Takes all waiting records.
    pub(crate) fn take(&self, py: Python<'_>) -> Columns {
        let spare = self.spare.replace(py, None);
        self.change(py, |columns| columns.take(spare))
    }

    /// Gives back what [`Self::take`] gave, for the sake of its memory (40 ns per batch).
    pub(crate) fn recycle(&self, py: Python<'_>, mut columns: Columns) {
        if columns.clear() {
            drop(self.spare.replace(py, Some(columns)));
        }
    }

    /// Drops the oldest records until `keep` wait; returns how many values went.
    pub(crate) fn drop_oldest(&self, py: Python<'_>, keep: usize) -> usize {
        self.change(py, |columns| columns.drop_oldest(keep)).len()
    }

    pub(crate) fn waiting(&self, py: Python<'_>) -> usize {
        self.with_columns(py, |columns| columns.len())
    }

    /// Moves the waiting records to this execution alone until [`Self::restore`]. They stay
    /// counted as waiting.
    pub(crate) fn checkout(&self, py: Python<'_>) {
        let execution = ExecutionId::current(py);
        self.store.with(py, |store| store.checkout(execution));
    }

    /// Ends [`Self::checkout`]: what the execution left of its rows waits again.
    pub(crate) fn restore(&self, py: Python<'_>) {
        let execution = ExecutionId::current(py);
        self.store.with(py, |store| store.restore(execution));
    }

    /// The waiting records once more: the store must not be open while they are converted.
    pub(crate) fn copied(&self, py: Python<'_>) -> Columns {
        self.with_columns(py, |columns| Columns {
            values: columns.values.iter().map(|value| value.copied(py)).collect(),
            labels: columns.labels.iter().map(|labels| labels.copied(py)).collect(),
            methods: columns.methods.iter().map(|method| method.copied(py)).collect(),
        })
    }

    pub(crate) fn name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |head| &head.name)
    }

    pub(crate) fn label_names(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |head| &head.label_names)
    }
}

/// Rows as dicts, for handlers written in Python.
pub(crate) fn record_dicts<'py>(
    py: Python<'py>,
    metric: &Metric,
    columns: &Columns,
) -> PyResult<Bound<'py, PyList>> {
    let template = metric.metadata.template(py)?;
    let records = PyList::empty(py);
    let rows = columns.values.iter().zip(&columns.labels).zip(&columns.methods);
    for ((value, labels), method) in rows {
        records.append(template.record(value, labels, method)?)?;
    }
    Ok(records)
}

#[pymethods]
impl Metric {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyAny>, _kwargs: Option<&Bound<'_, PyAny>>) -> Self {
        Self {
            store: GilCell::new(WaitingRecords::default()),
            spare: GilCell::new(None),
            metadata: MetadataCell::new(),
            owner: GilCell::new(None),
            defaults: ScopedDefaults::new(),
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
        }
    }

    #[getter(name)]
    fn get_name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.name(py)
    }

    #[setter(name)]
    fn set_name(&self, py: Python<'_>, name: Py<PyAny>) {
        self.metadata.set_attribute(py, name, |head| &mut head.name);
    }

    #[getter]
    fn get_units(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |head| &head.units)
    }

    #[setter]
    fn set_units(&self, py: Python<'_>, units: Py<PyAny>) {
        self.metadata.set_attribute(py, units, |head| &mut head.units);
    }

    #[getter]
    fn get_job(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |head| &head.job)
    }

    #[setter]
    fn set_job(&self, py: Python<'_>, job: Py<PyAny>) {
        self.metadata.set_attribute(py, job, |head| &mut head.job);
    }

    #[getter]
    fn get_metric(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |head| &head.kind)
    }

    #[setter]
    fn set_metric(&self, py: Python<'_>, kind: Py<PyAny>) {
        self.metadata.set_attribute(py, kind, |head| &mut head.kind);
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
        self.metadata.set_attribute(py, names.into_any().unbind(), |head| &mut head.label_names);
        Ok(())
    }

    fn to_records<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let metric = slf.get();
        // Attributes through Python: a subclass may define them in its own way.
        let template = Template::new(
            &slf.getattr(intern!(py, "metric"))?,
            &slf.getattr(intern!(py, "units"))?,
            &slf.getattr(intern!(py, "job"))?,
        )?;
        if !metric.with_columns(py, |columns| columns.is_even()) {
            operation::log_rate_limited(
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

    /// Items of a column, as a new list.
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

    /// Moves the waiting records to this thread or greenlet alone until `_restore`, so that
    /// it can change one column after the other.
    fn _checkout(&self, py: Python<'_>) {
        self.checkout(py);
    }

    /// Ends `_checkout`: the records wait again, before those that came in meanwhile.
    fn _restore(&self, py: Python<'_>) {
        self.restore(py);
    }

    /// Lengths of the three columns.
    fn _lengths(&self, py: Python<'_>) -> Lengths {
        self.lengths(py)
    }

    /// Cuts the columns back to lengths from `_lengths`.
    fn _cut(&self, py: Python<'_>, lengths: Lengths) {
        self.cut(py, lengths);
    }

    /// In a forked child: drops all records, those of threads that are gone included.
    fn _forget_inherited(&self, py: Python<'_>) {
        let taken = self.store.with(py, |store| store.take_all(execution_id::current_thread()));
        if let Some(owner) = self.owner.object(py) {
            owner.get().count_waiting(py, 0, taken.iter().map(Columns::len).sum());
        }
    }

    /// Appends labels and method until both columns are as long as the values.
    fn _fill(&self, py: Python<'_>, labels: &Bound<'_, PyAny>, method: &Bound<'_, PyAny>) {
        self.fill(py, labels, method);
    }

    /// The labels a record gets: a copy of `labels` with `error_raised` filled in if the
    /// metric has it. `None`, and a logged error, if the names do not match.
    fn _labels<'py>(
        slf: &Bound<'py, Self>,
        labels: Option<Bound<'py, PyAny>>,
        operation: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let cell = operation::label_cell(slf, labels, operation)?;
        cell.map(|cell| cell.to_item(slf.py())).transpose()
    }

    /// The node an operation without one belongs to.
    fn _current_node<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Node>> {
        operation::current_node(slf)
    }

    /// Method and labels for operations that this thread or greenlet calls until its next
    /// `_set_operation_defaults`.
    fn _set_operation_defaults(
        &self,
        py: Python<'_>,
        method: Option<Py<PyAny>>,
        labels: Option<Py<PyAny>>,
    ) {
        self.defaults.set(py, OperationDefaults { method, labels });
    }

    /// Logs an error of `kind` unless one was logged within the last minute.
    fn _log_rate_limited(slf: &Bound<'_, Self>, kind: &str, message: &str) -> PyResult<()> {
        operation::log_rate_limited(slf, kind, message)
    }

    /// Makes the profiler of `tree` the owner: whose current node is used and whose records are
    /// counted.
    fn _attach(slf: &Bound<'_, Self>, tree: Option<Py<CallTree>>) {
        let py = slf.py();
        let waiting = slf.get().waiting(py);
        let before = slf.get().owner.replace(py, tree.as_ref().map(|tree| tree.clone_ref(py)));
        if let Some(before) = before {
            before.get().count_waiting(py, 0, waiting);
        }
        if let Some(tree) = tree {
            tree.get().count_waiting(py, waiting, 0);
        }
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
            Stored::Number(Operation::Observe),
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
        operation::store(slf, Stored::Number(Operation::Inc), &value, current_node, label_values)
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _dec(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(slf, Stored::Number(Operation::Dec), &value, current_node, label_values)
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _set(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(slf, Stored::Number(Operation::Set), &value, current_node, label_values)
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _info(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(slf, Stored::Info, &value, current_node, label_values)
    }

    #[pyo3(signature = (value, current_node=None, label_values=None))]
    fn _state(
        slf: &Bound<'_, Self>,
        value: Bound<'_, PyAny>,
        current_node: Option<Bound<'_, PyAny>>,
        label_values: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        operation::store(slf, Stored::State, &value, current_node, label_values)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.owner.replace(py, None));
        drop(self.store.replace(py, WaitingRecords::default()));
        self.defaults.clear(py);
    }
}
