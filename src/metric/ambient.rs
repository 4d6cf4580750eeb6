//! What a `store_operation` under way lends to the operations called from it.

use pyo3::prelude::*;

use crate::interp::gil_cell::GilCell;
use crate::interp::strand::Strand;

/// Method and labels for operations that are given none.
#[derive(Default)]
pub(crate) struct Ambient {
    pub(crate) method: Option<Py<PyAny>>,
    pub(crate) labels: Option<Py<PyAny>>,
}

/// By who is inside a `store_operation` of one metric; nearly always nobody.
pub(crate) struct Ambients(GilCell<Vec<(Strand, Ambient)>>);

impl Ambients {
    pub(crate) fn new() -> Self {
        Self(GilCell::new(Vec::new()))
    }

    /// What the running strand was lent.
    pub(crate) fn current(&self, py: Python<'_>) -> Ambient {
        if self.0.with(py, |lent| lent.is_empty()) {
            return Ambient::default();
        }
        let strand = Strand::current(py);
        self.0.with(py, |lent| {
            let own = lent.iter().find(|(owner, _)| owner.is(strand));
            own.map_or_else(Ambient::default, |(_, ambient)| Ambient {
                method: ambient.method.as_ref().map(|method| method.clone_ref(py)),
                labels: ambient.labels.as_ref().map(|labels| labels.clone_ref(py)),
            })
        })
    }

    /// Lends to the running strand in place of what it was lent before; nothing at all ends it.
    pub(crate) fn set(&self, py: Python<'_>, ambient: Ambient) {
        let strand = Strand::current(py);
        let given = ambient.method.is_some() || ambient.labels.is_some();
        let before = self.0.with(py, |lent| {
            let known = lent.iter().position(|(owner, _)| owner.is(strand));
            let before = known.map(|known| lent.swap_remove(known));
            if given {
                lent.push((strand, ambient));
            }
            before
        });
        drop(before);
    }

    pub(crate) fn clear(&self, py: Python<'_>) {
        self.0.set(py, Vec::new());
    }
}
