//! `MetricStore`: the native base class of the metric classes, which stores their records.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use phanos_core::path::Path;
use phanos_core::record::{ERROR_RAISED, Operation};

use crate::interp::execution_id::{self, ExecutionId};
use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilCell;
use crate::interp::once::intern;
use crate::metric::columns::Columns;
use crate::metric::metadata::MetadataCell;
use crate::metric::operation_defaults::ScopedDefaults;
use crate::metric::record_labels::RecordLabels;
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::RecordValue;
use crate::metric::waiting_records::WaitingRecords;
use crate::tree::call_tree::CallTree;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(0);

/// Labels of a record to which only the profiler gives labels.
#[derive(Clone, Copy)]
enum AutomaticLabels {
    None,
    ErrorRaised,
}

struct State {
    waiting: WaitingRecords,
    /// Empty columns with the memory of a batch that has been handed over, for the next batch.
    spare: Option<Columns>,
    /// The tree of the profiler that the metric was added to.
    owner: Option<Py<CallTree>>,
}

#[pyclass(name = "MetricStore", module = "phanos._phanos", subclass, frozen, weakref)]
pub(crate) struct Metric {
    state: GilCell<State>,
    pub(crate) metadata: MetadataCell,
    pub(crate) defaults: ScopedDefaults,
    /// Identifies the metric where log lines are limited in rate; names are used again.
    pub(crate) serial: u64,
}

impl_traverse!(State { owner, waiting });
impl_traverse!(Metric { state, metadata, defaults });

impl Metric {
    pub(crate) fn new() -> Self {
        Self {
            state: GilCell::new(State {
                waiting: WaitingRecords::default(),
                spare: None,
                owner: None,
            }),
            metadata: MetadataCell::new(),
            defaults: ScopedDefaults::new(),
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Opens the cell for `body`, which gets the columns that the running execution sees, the
    /// spare columns and the owner.
    #[inline]
    fn with_state<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&mut Columns, &mut Option<Columns>, Option<&Py<CallTree>>) -> R,
    ) -> R {
        let done = self.state.with(py, |state| match state.waiting.shared() {
            Some(columns) => Ok(body(columns, &mut state.spare, state.owner.as_ref())),
            None => Err(body),
        });
        done.unwrap_or_else(|body| {
            let execution = ExecutionId::current(py);
            self.state.with(py, |state| {
                let columns = state.waiting.columns(execution);
                body(columns, &mut state.spare, state.owner.as_ref())
            })
        })
    }

    /// Opens the columns that the running execution sees for `body`.
    pub(crate) fn with_columns<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&mut Columns) -> R,
    ) -> R {
        self.with_state(py, |columns, _, _| body(columns))
    }

    /// [`Self::with_columns`] for a `body` that changes the number of records: the owner's count of
    /// waiting records follows. `body` returns what it removes, to be dropped outside.
    pub(crate) fn change<R>(&self, py: Python<'_>, body: impl FnOnce(&mut Columns) -> R) -> R {
        self.change_with_spare(py, |columns, _| body(columns))
    }

    fn change_with_spare<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&mut Columns, &mut Option<Columns>) -> R,
    ) -> R {
        let (result, owner, before, after) = self.with_state(py, |columns, spare, owner| {
            let before = columns.len();
            let result = body(columns, spare);
            let after = columns.len();
            let owner = owner.filter(|_| before != after).map(|owner| owner.bind(py).clone());
            (result, owner, before, after)
        });
        if let Some(owner) = owner {
            owner.get().count_waiting(py, after, before);
        }
        result
    }

    /// Stores a record; returns how many wait.
    pub(crate) fn push(
        &self,
        py: Python<'_>,
        value: RecordValue,
        labels: RecordLabels,
        method: RecordMethod,
    ) -> usize {
        self.change(py, |columns| {
            columns.push(value, labels, method);
            columns.len()
        })
    }

    /// Stores a built-in measurement of a call of the profiler of `tree`; `failed` says whether the
    /// call raised. False, with nothing stored, if the metric belongs to another profiler or needs
    /// labels that only users can give.
    pub(crate) fn push_measurement(
        &self,
        py: Python<'_>,
        tree: &Py<CallTree>,
        number: f64,
        failed: bool,
        path: Rc<Path>,
    ) -> bool {
        let Some(labels) = self.automatic_labels(py) else { return false };
        let is_owned = self.with_state(py, |columns, _, owner| {
            if !owner.is_some_and(|owner| owner.is(tree)) {
                return false;
            }
            // The record is made in place: the processor would wait for the bytes of an enum that
            // is passed in (20 ns).
            let value = RecordValue::Number(Operation::Observe, number);
            match labels {
                AutomaticLabels::None => {
                    columns.push(value, RecordLabels::None, RecordMethod::Path(path));
                }
                AutomaticLabels::ErrorRaised => {
                    columns.push(
                        value,
                        RecordLabels::ErrorRaised(failed),
                        RecordMethod::Path(path),
                    );
                }
            }
            true
        });
        if is_owned {
            tree.get().count_waiting(py, 1, 0);
        }
        is_owned
    }

    /// The labels of a record to which only the profiler gives labels; `None` if the metric has
    /// label names that it does not know.
    fn automatic_labels(&self, py: Python<'_>) -> Option<AutomaticLabels> {
        let names = self.label_names(py).ok()?.into_bound(py).cast_into::<PySet>().ok()?;
        match names.len() {
            0 => Some(AutomaticLabels::None),
            1 if names.contains(intern!(py, ERROR_RAISED)).unwrap_or(false) => {
                Some(AutomaticLabels::ErrorRaised)
            }
            _ => None,
        }
    }

    pub(crate) fn belongs_to(&self, py: Python<'_>, tree: &Py<CallTree>) -> bool {
        self.state.with(py, |state| state.owner.as_ref().is_some_and(|owner| owner.is(tree)))
    }

    /// The tree of the profiler that the metric was added to.
    pub(crate) fn owner<'py>(&self, py: Python<'py>) -> Option<Bound<'py, CallTree>> {
        self.state.with(py, |state| state.owner.as_ref().map(|owner| owner.bind(py).clone()))
    }

    /// Makes the profiler of `tree` the owner: operations use its current node, and it counts the
    /// waiting records.
    pub(crate) fn set_owner(&self, py: Python<'_>, tree: Option<Py<CallTree>>) {
        let waiting = self.waiting(py);
        if let Some(tree) = &tree {
            tree.get().count_waiting(py, waiting, 0);
        }
        let before = self.state.with(py, |state| std::mem::replace(&mut state.owner, tree));
        if let Some(before) = before {
            before.get().count_waiting(py, 0, waiting);
        }
    }

    /// Takes all waiting records that the running execution sees.
    pub(crate) fn take(&self, py: Python<'_>) -> Columns {
        self.change_with_spare(py, |columns, spare| columns.take(spare.take()))
    }

    /// Returns the columns of [`Self::take`], so that their memory is used again (40 ns per batch).
    pub(crate) fn recycle(&self, py: Python<'_>, mut columns: Columns) {
        if columns.clear() {
            drop(self.state.with(py, |state| state.spare.replace(columns)));
        }
    }

    /// Drops the oldest records until `keep` are left; returns how many values were dropped.
    pub(crate) fn drop_oldest(&self, py: Python<'_>, keep: usize) -> usize {
        self.change(py, |columns| columns.drop_oldest(keep)).len()
    }

    /// The number of waiting records that the running execution sees.
    pub(crate) fn waiting(&self, py: Python<'_>) -> usize {
        self.with_columns(py, |columns| columns.len())
    }

    /// Moves the waiting records to the running execution alone, until [`Self::restore`]. They
    /// still count as waiting.
    pub(crate) fn checkout(&self, py: Python<'_>) {
        let execution = ExecutionId::current(py);
        self.state.with(py, |state| state.waiting.checkout(execution));
    }

    /// Ends [`Self::checkout`]: the records that the execution has left are shared again.
    pub(crate) fn restore(&self, py: Python<'_>) {
        let execution = ExecutionId::current(py);
        self.state.with(py, |state| state.waiting.restore(execution));
    }

    /// Drops all records in a forked child, those that threads of the parent have checked out
    /// included.
    pub(crate) fn forget_inherited(&self, py: Python<'_>) {
        let thread = execution_id::current_thread();
        let taken = self.state.with(py, |state| state.waiting.take_all(thread));
        if let Some(owner) = self.owner(py) {
            owner.get().count_waiting(py, 0, taken.iter().map(Columns::len).sum());
        }
    }

    /// Drops everything that a circle of references can go through, for the garbage collector.
    pub(crate) fn clear(&self, py: Python<'_>) {
        let taken =
            self.state.with(py, |state| (state.owner.take(), std::mem::take(&mut state.waiting)));
        drop(taken);
        self.defaults.clear(py);
    }

    /// A copy of the waiting records, to be converted while the cell is closed.
    pub(crate) fn copied(&self, py: Python<'_>) -> Columns {
        self.with_columns(py, |columns| Columns {
            values: columns.values.iter().map(|value| value.copied(py)).collect(),
            labels: columns.labels.iter().map(|labels| labels.copied(py)).collect(),
            methods: columns.methods.iter().map(|method| method.copied(py)).collect(),
        })
    }

    /// The dicts of the records in `columns`, for handlers written in Python.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn record_dicts<'py>(
        &self,
        py: Python<'py>,
        columns: &Columns,
    ) -> PyResult<Bound<'py, PyList>> {
        self.metadata.template(py)?.records(columns)
    }

    pub(crate) fn name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |metadata| &metadata.name)
    }

    pub(crate) fn label_names(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.metadata.attribute(py, |metadata| &metadata.label_names)
    }
}
