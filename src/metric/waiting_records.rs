//! A metric's waiting records, and who sees them.

use pyo3::gc::{PyTraverseError, PyVisit};

use crate::interp::execution_id::ExecutionId;
use crate::interp::garbage::Traverse;
use crate::metric::columns::Columns;

#[derive(Default)]
pub(crate) struct WaitingRecords {
    shared: Columns,
    /// While whoever hands over is inside an overridden `to_records` or `cleanup`, its rows
    /// are here: that execution sees them as the metric's columns, others do not, so a user's
    /// `cleanup` can drop no record that came in meanwhile.
    lent: Vec<(ExecutionId, Columns)>,
}

impl WaitingRecords {
    /// The columns if they look the same to everybody, as they nearly always do.
    pub(crate) fn shared(&mut self) -> Option<&mut Columns> {
        self.lent.is_empty().then_some(&mut self.shared)
    }

    /// The columns as `execution_id` sees them.
    pub(crate) fn columns(&mut self, execution: ExecutionId) -> &mut Columns {
        match self.position(execution) {
            Some(position) => &mut self.lent[position].1,
            None => &mut self.shared,
        }
    }

    /// Moves the shared rows to `execution_id` alone.
    pub(crate) fn checkout(&mut self, execution: ExecutionId) {
        let rows = self.shared.take(None);
        self.lent.push((execution, rows));
    }

    /// Puts what `execution_id` left of its rows back in front of what came since.
    pub(crate) fn restore(&mut self, execution: ExecutionId) {
        if let Some(position) = self.position(execution) {
            let (_, left) = self.lent.remove(position);
            self.shared.put_back(left);
        }
    }

    /// Takes all rows, those of every execution; only strands of `thread` have a share then.
    pub(crate) fn take_all(&mut self, thread: usize) -> Vec<Columns> {
        let mut taken = vec![self.shared.take(None)];
        self.lent.retain_mut(|(execution, rows)| {
            taken.push(rows.take(None));
            execution.is_of_thread(thread)
        });
        taken
    }

    fn position(&self, execution: ExecutionId) -> Option<usize> {
        self.lent.iter().rposition(|(owner, _)| owner.matches(execution))
    }
}

impl Traverse for WaitingRecords {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let lent = self.lent.iter().map(|(_, columns)| columns);
        std::iter::once(&self.shared).chain(lent).try_for_each(|columns| {
            columns.values.traverse(visit)?;
            columns.labels.traverse(visit)?;
            columns.methods.traverse(visit)
        })
    }
}
