//! The attributes of a metric that every record repeats; users may set them at any time.

use std::sync::Arc;

use pyo3::exceptions::PyAttributeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::core::record;

use super::cell::text_of;
use super::gil_cell::GilCell;
use super::json_value::{IN_RECORD, value_of};
use super::refused::Refused;

pub(crate) struct Head {
    pub(crate) name: Py<PyAny>,
    pub(crate) units: Py<PyAny>,
    pub(crate) job: Py<PyAny>,
    pub(crate) kind: Py<PyAny>,
    pub(crate) label_names: Py<PyAny>,
    /// The same as text, made when a batch needs it; gone when one of them is set.
    written: Option<Arc<record::Metric>>,
}

/// A metric's attributes, once its `__init__` has set one.
pub(super) struct HeadCell(GilCell<Option<Head>>);

impl HeadCell {
    pub(super) fn new() -> Self {
        Self(GilCell::new(None))
    }

    /// Errors: `AttributeError` if the metric was not initialised.
    pub(super) fn attribute(
        &self,
        py: Python<'_>,
        pick: impl FnOnce(&Head) -> &Py<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        self.0
            .with(py, |head| head.as_ref().map(|head| pick(head).clone_ref(py)))
            .ok_or_else(uninitialised)
    }

    pub(super) fn set_attribute(
        &self,
        py: Python<'_>,
        value: Py<PyAny>,
        pick: impl FnOnce(&mut Head) -> &mut Py<PyAny>,
    ) {
        let before = self.0.with(py, |head| {
            let head = head.get_or_insert_with(|| Head::empty(py));
            head.written = None;
            std::mem::replace(pick(head), value)
        });
        drop(before);
    }

    /// Lets `body` see the written forms, if they are made; it must not call into Python.
    pub(super) fn with_written<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&Arc<record::Metric>) -> R,
    ) -> Option<R> {
        self.0.with(py, |head| head.as_ref()?.written.as_ref().map(body))
    }

    /// The written forms; `refused` gets the kinds of what JSON cannot hold.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(super) fn written(
        &self,
        py: Python<'_>,
        refused: &mut Refused,
    ) -> PyResult<Arc<record::Metric>> {
        if let Some(known) = self.with_written(py, Arc::clone) {
            return Ok(known);
        }
        let attributes = self.0.with(py, |head| head.as_ref().map(|head| head.attributes(py)));
        let mut own = Refused::default();
        let written = Arc::new(attributes.ok_or_else(uninitialised)?.written(py, &mut own));
        if !own.is_empty() {
            // Not kept: whoever asks next is to hear of it as well.
            refused.append(own);
            return Ok(written);
        }
        self.0.with(py, |head| {
            if let Some(head) = head {
                head.written = Some(Arc::clone(&written));
            }
        });
        Ok(written)
    }

    /// # Safety
    /// The calling thread holds the interpreter lock.
    #[allow(unsafe_code)]
    pub(super) unsafe fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: as the caller promises.
        let visited = unsafe {
            self.0.try_with(|head| head.as_ref().map_or(Ok(()), |head| head.visit(visit)))
        };
        visited.unwrap_or(Ok(()))
    }
}

fn uninitialised() -> PyErr {
    PyAttributeError::new_err("metric is not initialised: call super().__init__() first")
}

impl Head {
    fn empty(py: Python<'_>) -> Self {
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
    fn attributes(&self, py: Python<'_>) -> Self {
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
    fn written(&self, py: Python<'_>, refused: &mut Refused) -> record::Metric {
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

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.name)?;
        visit.call(&self.units)?;
        visit.call(&self.job)?;
        visit.call(&self.kind)?;
        visit.call(&self.label_names)
    }
}
