//! What a `store_operation` under way lends to the operations called from it.

use pyo3::prelude::*;

use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilCell;
use crate::interp::strand::Strand;

/// Method and labels for operations that are given none.
#[derive(Default)]
pub(crate) struct Ambient {
    pub(crate) method: Option<Py<PyAny>>,
    pub(crate) labels: Option<Py<PyAny>>,
}

/// By who is inside a `store_operation` of one metric; nearly always nobody.
pub(crate) struct Ambients {
    lent: GilCell<Vec<Lent>>,
}

struct Lent {
    owner: Strand,
    ambient: Ambient,
}

impl_traverse!(Ambient { method, labels });
impl_traverse!(Lent { ambient });
impl_traverse!(Ambients { lent });

impl Ambients {
    pub(crate) fn new() -> Self {
        Self { lent: GilCell::new(Vec::new()) }
    }

    /// What the running strand was lent.
    pub(crate) fn current(&self, py: Python<'_>) -> Ambient {
        if self.lent.with(py, |lent| lent.is_empty()) {
            return Ambient::default();
        }
        let strand = Strand::current(py);
        self.lent.with(py, |lent| {
            let own = lent.iter().find(|lent| lent.owner.is(strand));
            own.map_or_else(Ambient::default, |Lent { ambient, .. }| Ambient {
                method: ambient.method.as_ref().map(|method| method.clone_ref(py)),
                labels: ambient.labels.as_ref().map(|labels| labels.clone_ref(py)),
            })
        })
    }

    /// Lends to the running strand in place of what it was lent before; nothing at all ends it.
    pub(crate) fn set(&self, py: Python<'_>, ambient: Ambient) {
        let strand = Strand::current(py);
        let given = ambient.method.is_some() || ambient.labels.is_some();
        let before = self.lent.with(py, |lent| {
            let known = lent.iter().position(|lent| lent.owner.is(strand));
            let before = known.map(|known| lent.swap_remove(known));
            if given {
                lent.push(Lent { owner: strand, ambient });
            }
            before
        });
        drop(before);
    }

    pub(crate) fn clear(&self, py: Python<'_>) {
        self.lent.set(py, Vec::new());
    }
}
