//! What a `store_operation` under way lends to the operations called from it.

use pyo3::prelude::*;

use crate::interp::execution_id::ExecutionId;
use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilCell;

/// Method and labels for operations that are given none.
#[derive(Default)]
pub(crate) struct OperationDefaults {
    pub(crate) method: Option<Py<PyAny>>,
    pub(crate) labels: Option<Py<PyAny>>,
}

/// By who is inside a `store_operation` of one metric; nearly always nobody.
pub(crate) struct ScopedDefaults {
    lent: GilCell<Vec<Lent>>,
}

struct Lent {
    owner: ExecutionId,
    defaults: OperationDefaults,
}

impl_traverse!(OperationDefaults { method, labels });
impl_traverse!(Lent { defaults });
impl_traverse!(ScopedDefaults { lent });

impl ScopedDefaults {
    pub(crate) fn new() -> Self {
        Self { lent: GilCell::new(Vec::new()) }
    }

    /// What the running execution was lent.
    pub(crate) fn current(&self, py: Python<'_>) -> OperationDefaults {
        if self.lent.with(py, |lent| lent.is_empty()) {
            return OperationDefaults::default();
        }
        let execution = ExecutionId::current(py);
        self.lent.with(py, |lent| {
            let own = lent.iter().find(|lent| lent.owner.matches(execution));
            own.map_or_else(OperationDefaults::default, |Lent { defaults, .. }| OperationDefaults {
                method: defaults.method.as_ref().map(|method| method.clone_ref(py)),
                labels: defaults.labels.as_ref().map(|labels| labels.clone_ref(py)),
            })
        })
    }

    /// Lends to the running execution in place of what it was lent before; nothing at all ends it.
    pub(crate) fn set(&self, py: Python<'_>, defaults: OperationDefaults) {
        let execution = ExecutionId::current(py);
        let given = defaults.method.is_some() || defaults.labels.is_some();
        let before = self.lent.with(py, |lent| {
            let known = lent.iter().position(|lent| lent.owner.matches(execution));
            let before = known.map(|known| lent.swap_remove(known));
            if given {
                lent.push(Lent { owner: execution, defaults });
            }
            before
        });
        drop(before);
    }

    pub(crate) fn clear(&self, py: Python<'_>) {
        self.lent.set(py, Vec::new());
    }
}
