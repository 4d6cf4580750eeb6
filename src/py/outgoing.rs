//! From records to what the network side takes: rows of a metric as they are, dicts as the
//! JSON that they will be.

use std::rc::Rc;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::core::json::JsonArray;
use crate::core::path::{Path, TextSlot};
use crate::core::record;
use crate::delivery::{Chunk, Content, Other, Sender};

use super::cell::{Columns, JsonMethod, LabelCell, MethodCell, ValueCell, string_of};
use super::json_value::{IN_BATCH, Writer};
use super::refused::Refused;

/// A row on its way: what it was made in, and what it measured.
type Row = (Rc<Path>, Content);

/// What came of handing rows over.
pub(crate) struct Taken {
    /// A call that made one of them failed.
    pub(crate) raised: bool,
    /// There is something to log.
    pub(crate) notices: bool,
}

impl Taken {
    fn new(sender: &Sender, raised: bool) -> Self {
        Self { raised, notices: sender.has_notices() }
    }
}

/// True if no row needs Python to be converted.
pub(super) fn are_plain(columns: &Columns) -> bool {
    rows_of(columns).all(|row| plain(row).is_some())
}

/// Takes rows that need no conversion; calls no Python.
pub(super) fn push_plain(
    sender: &Sender,
    metric: &Arc<record::Metric>,
    columns: &Columns,
) -> Taken {
    let mut raised = false;
    sender.push(|chunk| {
        let number = chunk.metric(metric);
        for (path, content) in rows_of(columns).filter_map(plain) {
            raised |= content.error_raised();
            put(chunk, number, path, content);
        }
    });
    Taken::new(sender, raised)
}

/// Takes rows of any kind.
pub(super) fn push_converted(
    py: Python<'_>,
    sender: &Sender,
    metric: &Arc<record::Metric>,
    columns: &Columns,
    refused: &mut Refused,
) -> Taken {
    // Conversions call into Python, which must not happen while the buffer is open.
    let rows: Vec<_> = rows_of(columns).map(|row| converted(py, metric, row, refused)).collect();
    let mut raised = false;
    sender.push(|chunk| {
        let number = chunk.metric(metric);
        for (path, content) in rows {
            raised |= content.error_raised();
            put(chunk, number, &path, content);
        }
    });
    Taken::new(sender, raised)
}

type Cells<'a> = (&'a ValueCell, &'a LabelCell, &'a MethodCell);

fn rows_of(columns: &Columns) -> impl Iterator<Item = Cells<'_>> {
    let rows = columns.values.iter().zip(&columns.labels).zip(&columns.methods);
    rows.map(|((value, labels), method)| (value, labels, method))
}

fn put(chunk: &mut Chunk, metric: u32, path: &Rc<Path>, content: Content) {
    let slot = chunk.text(path.slot().get(), |text| path.write_text(text));
    path.slot().set(slot);
    chunk.push(metric, slot, content);
}

/// A row that needs no conversion.
fn plain((value, labels, method): Cells<'_>) -> Option<(&Rc<Path>, Content)> {
    let error_raised = match labels {
        LabelCell::None => None,
        LabelCell::ErrorRaised(raised) => Some(*raised),
        LabelCell::Object(_) => return None,
    };
    match (value, method) {
        (ValueCell::Number(operation, number), MethodCell::Path(path)) => {
            Some((path, Content::Number { operation: *operation, error_raised, number: *number }))
        }
        _ => None,
    }
}

fn converted(
    py: Python<'_>,
    metric: &record::Metric,
    (value, labels, method): Cells<'_>,
    refused: &mut Refused,
) -> Row {
    if let Some((path, content)) = plain((value, labels, method)) {
        return (Rc::clone(path), content);
    }
    let (operation, value) = value.for_json(py, refused);
    let labels = labels.for_json(py, refused);
    let (path, other) = match method.for_json(py, refused) {
        JsonMethod::Path(path) => (path, Other::Value { operation, value, labels }),
        method @ JsonMethod::Other { .. } => {
            let mut array = JsonArray::new(metric, 1);
            array.add(&method, operation.as_deref(), &value, &labels);
            let array = array.finish();
            let record = array[1..array.len() - 1].into();
            (Path::literal(""), Other::Json { record, error_raised: labels.error_raised() })
        }
    };
    (path, Content::Other(Box::new(other)))
}

/// Takes records as Python handlers get them; the job of the first routes them all.
///
/// Errors: `KeyError` or `TypeError` if the first has no job; nothing is taken then.
pub(super) fn push_dicts(
    sender: &Sender,
    name: &str,
    records: &Bound<'_, PyAny>,
    refused: &mut Refused,
) -> PyResult<()> {
    let mut job = None;
    let mut rows = Vec::new();
    for record in records.try_iter()? {
        let record = record?;
        if job.is_none() {
            job = Some(job_of(&record)?);
        }
        rows.push(record_to_json(&record, refused));
    }
    let Some(job) = job else { return Ok(()) };
    sender.push(|chunk| {
        let number = chunk.metric_of_json(name, &job);
        for record in rows {
            let json = Other::Json { record, error_raised: false };
            chunk.push(number, TextSlot::default(), Content::Other(Box::new(json)));
        }
    });
    Ok(())
}

fn record_to_json(record: &Bound<'_, PyAny>, refused: &mut Refused) -> Box<[u8]> {
    let mut writer = Writer::new(IN_BATCH, refused);
    writer.write(record);
    writer.out.into()
}

fn job_of(record: &Bound<'_, PyAny>) -> PyResult<String> {
    let job = record.get_item(intern!(record.py(), "job"))?;
    let text = job
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("job of a record must be a str, got {job:?}")))?;
    Ok(string_of(text))
}

/// One message's worth of records.
pub(super) struct Message {
    pub(super) routing_key: String,
    pub(super) records: u32,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Of records as Python handlers get them, at least one.
    ///
    /// Errors: `KeyError` or `TypeError` if the first has no job.
    pub(super) fn of_dicts(records: &Bound<'_, PyAny>, refused: &mut Refused) -> PyResult<Self> {
        let mut body = Vec::new();
        let mut count = 0_u32;
        for record in records.try_iter()? {
            body.push(if count == 0 { b'[' } else { b',' });
            body.extend_from_slice(&record_to_json(&record?, refused));
            count += 1;
        }
        body.push(b']');
        Ok(Self { routing_key: job_of(&records.get_item(0)?)?, records: count, body })
    }
}
