//! The attributes of a metric that every record repeats; users may set them at any time.

use std::sync::Arc;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use phanos_core::record;

use crate::convert::json_value::{FIELD_DEPTH, value_of};
use crate::convert::text::text_of;
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilCell;
use crate::metric::record_dict::Template;

pub(crate) struct MetricMetadata {
    pub(crate) name: Py<PyAny>,
    pub(crate) units: Py<PyAny>,
    pub(crate) job: Py<PyAny>,
    pub(crate) kind: Py<PyAny>,
    pub(crate) label_names: Py<PyAny>,
    /// The same as text, made when a batch needs it; gone when one of them is set.
    written: Option<Arc<record::Metric>>,
    /// The same for dicts.
    template: Option<Py<PyDict>>,
}

/// A metric's attributes, once its `__init__` has set one.
pub(crate) struct MetadataCell {
    metadata: GilCell<Option<MetricMetadata>>,
}

impl_traverse!(MetadataCell { metadata });

impl MetadataCell {
    pub(crate) fn new() -> Self {
        Self { metadata: GilCell::new(None) }
    }

    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn attribute(
        &self,
        py: Python<'_>,
        pick: impl FnOnce(&MetricMetadata) -> &Py<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        self.metadata
            .with(py, |head| head.as_ref().map(|head| pick(head).clone_ref(py)))
            .ok_or_else(uninitialised)
    }

    pub(crate) fn set_attribute(
        &self,
        py: Python<'_>,
        value: Py<PyAny>,
        pick: impl FnOnce(&mut MetricMetadata) -> &mut Py<PyAny>,
    ) {
        let before = self.metadata.with(py, |head| {
            let head = head.get_or_insert_with(|| MetricMetadata::empty(py));
            head.written = None;
            (std::mem::replace(pick(head), value), head.template.take())
        });
        drop(before);
    }

    /// What every record repeats, for dicts.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn template<'py>(&self, py: Python<'py>) -> PyResult<Template<'py>> {
        let known = self.metadata.with(py, |head| {
            head.as_ref()?.template.as_ref().map(|template| template.bind(py).clone())
        });
        if let Some(known) = known {
            return Ok(Template(known));
        }
        let metric = self.attribute(py, |head| &head.kind)?.into_bound(py);
        let units = self.attribute(py, |head| &head.units)?.into_bound(py);
        let job = self.attribute(py, |head| &head.job)?.into_bound(py);
        let made = Template::new(&metric, &units, &job)?;
        let template = made.0.clone().unbind();
        self.metadata.with(py, |head| match head {
            // Making it may have run code of users, which may have set others.
            Some(head) if head.kind.is(&metric) && head.units.is(&units) && head.job.is(&job) => {
                head.template.replace(template)
            }
            _ => Some(template),
        });
        Ok(made)
    }

    /// Lets `body` see the written forms, if they are made; it must not call into Python.
    pub(crate) fn with_written<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&Arc<record::Metric>) -> R,
    ) -> Option<R> {
        self.metadata.with(py, |head| head.as_ref()?.written.as_ref().map(body))
    }

    /// The written forms; `unserializable` gets the kinds of what JSON cannot hold.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn written(
        &self,
        py: Python<'_>,
        unserializable: &mut UnserializableKinds,
    ) -> PyResult<Arc<record::Metric>> {
        if let Some(known) = self.with_written(py, Arc::clone) {
            return Ok(known);
        }
        let attributes =
            self.metadata.with(py, |head| head.as_ref().map(|head| head.attributes(py)));
        let mut own = UnserializableKinds::default();
        let written = Arc::new(attributes.ok_or_else(uninitialised)?.written(py, &mut own));
        if !own.is_empty() {
            // Not kept: whoever asks next is to hear of it as well.
            unserializable.append(own);
            return Ok(written);
        }
        self.metadata.with(py, |head| {
            if let Some(head) = head {
                head.written = Some(Arc::clone(&written));
            }
        });
        Ok(written)
    }
}

fn uninitialised() -> PyErr {
    PyAttributeError::new_err("metric is not initialised: call super().__init__() first")
}

impl MetricMetadata {
    fn empty(py: Python<'_>) -> Self {
        let text = || PyString::new(py, "").into_any().unbind();
        Self {
            name: text(),
            units: text(),
            job: text(),
            kind: text(),
            label_names: py.None(),
            written: None,
            template: None,
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
            template: None,
        }
    }

    /// What batches of the metric are headed with; `unserializable` gets the kinds of what JSON
    /// cannot hold.
    fn written(&self, py: Python<'_>, unserializable: &mut UnserializableKinds) -> record::Metric {
        let text = |value: &Py<PyAny>| text_of(value.bind(py));
        let mut json = |value: &Py<PyAny>| value_of(value.bind(py), FIELD_DEPTH, unserializable);
        record::Metric::with_values(
            &text(&self.name),
            &text(&self.units),
            &json(&self.kind),
            &json(&self.units),
            &json(&self.job),
        )
    }
}

impl_traverse!(MetricMetadata { name, units, job, kind, template, label_names });
