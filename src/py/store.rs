//! A metric's waiting records, and who sees them.

use std::thread::{self, ThreadId};

use pyo3::gc::{PyTraverseError, PyVisit};

use super::cell::{Columns, LabelCell, MethodCell, ValueCell};

#[derive(Default)]
pub(crate) struct Store {
    shared: Columns,
    /// While a handing-over thread is inside an overridden `to_records` or `cleanup`, its
    /// rows are here: that thread sees them as the metric's columns, others do not, so a
    /// user's `cleanup` can drop no record that came in meanwhile.
    lent: Vec<(ThreadId, Columns)>,
}

impl Store {
    /// The columns as this thread sees them.
    pub(crate) fn columns(&mut self) -> &mut Columns {
        if !self.lent.is_empty() {
            let ident = thread::current().id();
            if let Some(position) = self.lent.iter().rposition(|(thread, _)| *thread == ident) {
                return &mut self.lent[position].1;
            }
        }
        &mut self.shared
    }

    /// Moves the shared rows to this thread alone.
    pub(crate) fn lend(&mut self) {
        let rows = self.shared.take();
        self.lent.push((thread::current().id(), rows));
    }

    /// Puts what this thread left of its rows back in front of what came since.
    pub(crate) fn reclaim(&mut self) {
        let ident = thread::current().id();
        if let Some(position) = self.lent.iter().rposition(|(thread, _)| *thread == ident) {
            let (_, left) = self.lent.remove(position);
            self.shared.put_back(left);
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let lent = self.lent.iter().map(|(_, columns)| columns);
        for columns in std::iter::once(&self.shared).chain(lent) {
            visit_columns(columns, visit)?;
        }
        Ok(())
    }
}

fn visit_columns(columns: &Columns, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    for value in &columns.values {
        if let ValueCell::Object(object) = value {
            visit.call(object)?;
        }
    }
    for labels in &columns.labels {
        if let LabelCell::Object(object) = labels {
            visit.call(object)?;
        }
    }
    for method in &columns.methods {
        if let MethodCell::Object(object) = method {
            visit.call(object)?;
        }
    }
    Ok(())
}
