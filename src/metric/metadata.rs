//! The attributes of a metric, which each of its records repeats. Users may set them at any time.

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
use crate::metric::record_dict::RecordTemplate;

pub(crate) struct MetricMetadata {
    pub(crate) name: Py<PyAny>,
    pub(crate) units: Py<PyAny>,
    pub(crate) job: Py<PyAny>,
    pub(crate) kind: Py<PyAny>,
    pub(crate) label_names: Py<PyAny>,
    /// The attributes encoded as text and JSON; made when a batch needs them, and dropped when one
    /// of the attributes is set.
    encoded: Option<Arc<record::Metric>>,
    /// The dict inside a [`RecordTemplate`], made and dropped likewise.
    template: Option<Py<PyDict>>,
}

/// The attributes of a metric; there are none before its `__init__` has set the first.
pub(crate) struct MetadataCell {
    metadata: GilCell<Option<MetricMetadata>>,
}

impl_traverse!(MetadataCell { metadata });

impl MetadataCell {
    pub(crate) fn new() -> Self {
        Self { metadata: GilCell::new(None) }
    }

    /// The attribute that `field` selects.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn attribute(
        &self,
        py: Python<'_>,
        field: impl FnOnce(&MetricMetadata) -> &Py<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        self.metadata
            .with(py, |metadata| metadata.as_ref().map(|metadata| field(metadata).clone_ref(py)))
            .ok_or_else(uninitialised)
    }

    /// Sets the attribute that `field` selects.
    pub(crate) fn set_attribute(
        &self,
        py: Python<'_>,
        value: Py<PyAny>,
        field: impl FnOnce(&mut MetricMetadata) -> &mut Py<PyAny>,
    ) {
        let before = self.metadata.with(py, |metadata| {
            let metadata = metadata.get_or_insert_with(|| MetricMetadata::empty(py));
            metadata.encoded = None;
            (std::mem::replace(field(metadata), value), metadata.template.take())
        });
        drop(before);
    }

    /// The template of the metric's records as dicts.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn template<'py>(&self, py: Python<'py>) -> PyResult<RecordTemplate<'py>> {
        let known = self.metadata.with(py, |metadata| {
            metadata.as_ref()?.template.as_ref().map(|template| template.bind(py).clone())
        });
        if let Some(known) = known {
            return Ok(RecordTemplate(known));
        }
        let metric = self.attribute(py, |metadata| &metadata.kind)?.into_bound(py);
        let units = self.attribute(py, |metadata| &metadata.units)?.into_bound(py);
        let job = self.attribute(py, |metadata| &metadata.job)?.into_bound(py);
        let made = RecordTemplate::new(&metric, &units, &job)?;
        let template = made.0.clone().unbind();
        self.metadata.with(py, |metadata| match metadata {
            // Making the template may have run code of users, which may have set an attribute.
            Some(metadata)
                if metadata.kind.is(&metric)
                    && metadata.units.is(&units)
                    && metadata.job.is(&job) =>
            {
                metadata.template.replace(template)
            }
            _ => Some(template),
        });
        Ok(made)
    }

    /// Calls `body`, which must not call into Python, with the encoded attributes; `None` if they
    /// are still to be encoded.
    pub(crate) fn with_encoded<R>(
        &self,
        py: Python<'_>,
        body: impl FnOnce(&Arc<record::Metric>) -> R,
    ) -> Option<R> {
        self.metadata.with(py, |metadata| metadata.as_ref()?.encoded.as_ref().map(body))
    }

    /// The attributes encoded as text and JSON; kinds of objects that JSON cannot hold are added to
    /// `unserializable`.
    ///
    /// Errors: `AttributeError` if the metric was not initialised.
    pub(crate) fn encoded(
        &self,
        py: Python<'_>,
        unserializable: &mut UnserializableKinds,
    ) -> PyResult<Arc<record::Metric>> {
        if let Some(known) = self.with_encoded(py, Arc::clone) {
            return Ok(known);
        }
        let attributes = self
            .metadata
            .with(py, |metadata| metadata.as_ref().map(|metadata| metadata.attributes(py)));
        let mut kinds = UnserializableKinds::default();
        let encoded = Arc::new(attributes.ok_or_else(uninitialised)?.encode(py, &mut kinds));
        if !kinds.is_empty() {
            // Encoded anew for each batch, so that the warning is logged for later ones as well.
            unserializable.append(kinds);
            return Ok(encoded);
        }
        self.metadata.with(py, |metadata| {
            if let Some(metadata) = metadata {
                metadata.encoded = Some(Arc::clone(&encoded));
            }
        });
        Ok(encoded)
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
            encoded: None,
            template: None,
        }
    }

    /// A copy of the attributes to be encoded while the cell is closed: that can call into Python.
    /// `label_names` is left out.
    fn attributes(&self, py: Python<'_>) -> Self {
        Self {
            name: self.name.clone_ref(py),
            units: self.units.clone_ref(py),
            job: self.job.clone_ref(py),
            kind: self.kind.clone_ref(py),
            label_names: py.None(),
            encoded: None,
            template: None,
        }
    }

    /// The attributes encoded as text and JSON; kinds of objects that JSON cannot hold are added to
    /// `unserializable`.
    fn encode(&self, py: Python<'_>, unserializable: &mut UnserializableKinds) -> record::Metric {
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
