//! Defaults for the operations that a function decorated by `store_operation` calls.

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

/// The defaults of one metric, for each execution that has set some; nearly always none has.
pub(crate) struct ScopedDefaults {
    scopes: GilCell<Vec<Scope>>,
}

struct Scope {
    execution: ExecutionId,
    defaults: OperationDefaults,
}

impl_traverse!(OperationDefaults { method, labels });
impl_traverse!(Scope { defaults });
impl_traverse!(ScopedDefaults { scopes });

impl ScopedDefaults {
    pub(crate) fn new() -> Self {
        Self { scopes: GilCell::new(Vec::new()) }
    }

    /// The defaults of the running execution.
    pub(crate) fn current(&self, py: Python<'_>) -> OperationDefaults {
        if self.scopes.with(py, |scopes| scopes.is_empty()) {
            return OperationDefaults::default();
        }
        let execution = ExecutionId::current(py);
        self.scopes.with(py, |scopes| {
            let own = scopes.iter().find(|scope| scope.execution.matches(execution));
            own.map_or_else(OperationDefaults::default, |Scope { defaults, .. }| {
                OperationDefaults {
                    method: defaults.method.as_ref().map(|method| method.clone_ref(py)),
                    labels: defaults.labels.as_ref().map(|labels| labels.clone_ref(py)),
                }
            })
        })
    }

    /// Replaces the defaults of the running execution; without a method and labels they end.
    pub(crate) fn set(&self, py: Python<'_>, defaults: OperationDefaults) {
        let execution = ExecutionId::current(py);
        let is_given = defaults.method.is_some() || defaults.labels.is_some();
        let before = self.scopes.with(py, |scopes| {
            let position = scopes.iter().position(|scope| scope.execution.matches(execution));
            let before = position.map(|position| scopes.swap_remove(position));
            if is_given {
                scopes.push(Scope { execution, defaults });
            }
            before
        });
        drop(before);
    }

    pub(crate) fn clear(&self, py: Python<'_>) {
        self.scopes.set(py, Vec::new());
    }
}
