//! The waiting records of a metric, and which execution sees which of them.

use pyo3::gc::{PyTraverseError, PyVisit};

use crate::interp::execution_id::ExecutionId;
use crate::interp::garbage::Traverse;
use crate::metric::columns::Columns;

#[derive(Default)]
pub(crate) struct WaitingRecords {
    shared: Columns,
    /// Records that an execution has checked out: while it hands over by a user's `to_records` and
    /// `cleanup`, it sees these as the metric's columns, and all others see the shared ones. So a
    /// user's `cleanup` cannot drop a record that was stored meanwhile.
    checked_out: Vec<(ExecutionId, Columns)>,
}

impl WaitingRecords {
    /// The columns if all executions see the same, as they nearly always do.
    pub(crate) fn shared(&mut self) -> Option<&mut Columns> {
        self.checked_out.is_empty().then_some(&mut self.shared)
    }

    /// The columns that `execution` sees.
    pub(crate) fn columns(&mut self, execution: ExecutionId) -> &mut Columns {
        match self.position(execution) {
            Some(position) => &mut self.checked_out[position].1,
            None => &mut self.shared,
        }
    }

    /// Moves the shared records to `execution` alone.
    pub(crate) fn checkout(&mut self, execution: ExecutionId) {
        let records = self.shared.take(None);
        self.checked_out.push((execution, records));
    }

    /// Ends [`Self::checkout`]: the records that `execution` has left are shared again, before
    /// those stored meanwhile.
    pub(crate) fn restore(&mut self, execution: ExecutionId) {
        if let Some(position) = self.position(execution) {
            let (_, left) = self.checked_out.remove(position);
            self.shared.put_back(left);
        }
    }

    /// Takes all records, those of every execution, and ends the checkouts of all threads but
    /// `thread`.
    pub(crate) fn take_all(&mut self, thread: usize) -> Vec<Columns> {
        let mut taken = vec![self.shared.take(None)];
        self.checked_out.retain_mut(|(execution, records)| {
            taken.push(records.take(None));
            execution.is_of_thread(thread)
        });
        taken
    }

    fn position(&self, execution: ExecutionId) -> Option<usize> {
        self.checked_out.iter().rposition(|(owner, _)| owner.matches(execution))
    }
}

impl Traverse for WaitingRecords {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let checked_out = self.checked_out.iter().map(|(_, columns)| columns);
        std::iter::once(&self.shared).chain(checked_out).try_for_each(|columns| {
            columns.values.traverse(visit)?;
            columns.labels.traverse(visit)?;
            columns.methods.traverse(visit)
        })
    }
}
