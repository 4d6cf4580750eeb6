//! A metric's waiting records, and who sees them.

use pyo3::gc::{PyTraverseError, PyVisit};

use crate::interp::garbage::Traverse;
use crate::interp::strand::Strand;
use crate::metric::cell::Columns;

#[derive(Default)]
pub(crate) struct Store {
    shared: Columns,
    /// While whoever hands over is inside an overridden `to_records` or `cleanup`, its rows
    /// are here: that strand sees them as the metric's columns, others do not, so a user's
    /// `cleanup` can drop no record that came in meanwhile.
    lent: Vec<(Strand, Columns)>,
}

impl Store {
    /// The columns if they look the same to everybody, as they nearly always do.
    pub(crate) fn shared(&mut self) -> Option<&mut Columns> {
        self.lent.is_empty().then_some(&mut self.shared)
    }

    /// The columns as `strand` sees them.
    pub(crate) fn columns(&mut self, strand: Strand) -> &mut Columns {
        match self.position(strand) {
            Some(position) => &mut self.lent[position].1,
            None => &mut self.shared,
        }
    }

    /// Moves the shared rows to `strand` alone.
    pub(crate) fn lend(&mut self, strand: Strand) {
        let rows = self.shared.take(None);
        self.lent.push((strand, rows));
    }

    /// Puts what `strand` left of its rows back in front of what came since.
    pub(crate) fn reclaim(&mut self, strand: Strand) {
        if let Some(position) = self.position(strand) {
            let (_, left) = self.lent.remove(position);
            self.shared.put_back(left);
        }
    }

    /// Takes all rows, those of every strand; only strands of `thread` have a share then.
    pub(crate) fn take_all(&mut self, thread: usize) -> Vec<Columns> {
        let mut taken = vec![self.shared.take(None)];
        self.lent.retain_mut(|(strand, rows)| {
            taken.push(rows.take(None));
            strand.is_of_thread(thread)
        });
        taken
    }

    fn position(&self, strand: Strand) -> Option<usize> {
        self.lent.iter().rposition(|(owner, _)| owner.is(strand))
    }
}

impl Traverse for Store {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let lent = self.lent.iter().map(|(_, columns)| columns);
        std::iter::once(&self.shared).chain(lent).try_for_each(|columns| {
            columns.values.traverse(visit)?;
            columns.labels.traverse(visit)?;
            columns.methods.traverse(visit)
        })
    }
}
