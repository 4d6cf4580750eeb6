//! The attributes of a metric that every record repeats; users may set them at any time.

use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::core::record;

use super::cell::text_of;
use super::json_value::{IN_RECORD, value_of};
use super::refused::Refused;

pub(crate) struct Head {
    pub(crate) name: Py<PyAny>,
    pub(crate) units: Py<PyAny>,
    pub(crate) job: Py<PyAny>,
    pub(crate) kind: Py<PyAny>,
    pub(crate) label_names: Py<PyAny>,
    /// The same as text, made when a batch needs it; gone when one of them is set.
    pub(crate) written: Option<Arc<record::Metric>>,
}

impl Head {
    pub(crate) fn empty(py: Python<'_>) -> Self {
        let text = || PyString::new(py, "").into_any().unbind();
        Self {
            name: text(),
            units: text(),
            job: text(),
            kind: text(),
            label_names: py.None(),
            written: None,
        }
    }

    /// The attributes apart from the cell that holds them: turning them into text can call
    /// into Python.
    pub(crate) fn attributes(&self, py: Python<'_>) -> Self {
        Self {
            name: self.name.clone_ref(py),
            units: self.units.clone_ref(py),
            job: self.job.clone_ref(py),
            kind: self.kind.clone_ref(py),
            label_names: py.None(),
            written: None,
        }
    }

    /// What batches of the metric are headed with; `refused` gets the kinds of what JSON
    /// cannot hold.
    pub(crate) fn written(&self, py: Python<'_>, refused: &mut Refused) -> record::Metric {
        let text = |value: &Py<PyAny>| text_of(value.bind(py));
        let mut json = |value: &Py<PyAny>| value_of(value.bind(py), IN_RECORD, refused);
        record::Metric::with_values(
            &text(&self.name),
            &text(&self.units),
            &json(&self.kind),
            &json(&self.units),
            &json(&self.job),
        )
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.name)?;
        visit.call(&self.units)?;
        visit.call(&self.job)?;
        visit.call(&self.kind)?;
        visit.call(&self.label_names)
    }
}
