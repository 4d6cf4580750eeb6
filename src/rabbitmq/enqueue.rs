//! Records into the buffer of a handler: rows of a metric as they are, dicts as JSON.

use std::borrow::Borrow;
use std::rc::Rc;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::path::{Path, TextSlot, item_of};
use phanos_core::record;
use phanos_core::record_json::{write_head, write_value};
use phanos_delivery::{Chunk, Content, Converted, Sender, encode, join};

use crate::convert::json_value::{self, FIELD_DEPTH, RECORD_DEPTH, Writer};
use crate::convert::text::{string_of, text_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::once::intern;
use crate::metric::columns::{Columns, Row, rows};
use crate::metric::record_labels::RecordLabels;
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::RecordValue;

/// A row without its cells: the path of its call, and what it measured.
type PathAndContent = (Rc<Path>, Content);

/// What a handler has to log after its rows are in the buffer.
pub(crate) struct Enqueued {
    /// A call of these records failed: the batch is logged as text.
    pub(crate) has_failed_calls: bool,
    /// The engine has lines to log.
    pub(crate) has_log_lines: bool,
}

/// True if no row needs Python to be converted.
pub(crate) fn are_plain(columns: &Columns) -> bool {
    rows(columns).all(|row| plain(row).is_some())
}

/// Puts rows that need no conversion into the buffer; calls no Python.
pub(crate) fn push_plain(
    sender: &Sender,
    metric: &Arc<record::Metric>,
    columns: &Columns,
) -> Enqueued {
    push_rows(sender, metric, rows(columns).filter_map(plain))
}

/// Puts rows of any kind into the buffer.
pub(crate) fn push_converted(
    py: Python<'_>,
    sender: &Sender,
    metric: &Arc<record::Metric>,
    columns: &Columns,
    unserializable: &mut UnserializableKinds,
) -> Enqueued {
    push_rows(sender, metric, converted_rows(py, metric, columns, unserializable).into_iter())
}

fn push_rows<P: Borrow<Rc<Path>>>(
    sender: &Sender,
    metric: &Arc<record::Metric>,
    rows: impl Iterator<Item = (P, Content)>,
) -> Enqueued {
    let mut has_failed_calls = false;
    sender.push(|chunk| has_failed_calls = put_rows(chunk, metric, rows));
    Enqueued { has_failed_calls, has_log_lines: sender.has_log_lines() }
}

/// The wire form of rows of any kind: what a broker gets of them.
pub(crate) fn body_of_columns(
    py: Python<'_>,
    metric: &Arc<record::Metric>,
    columns: &Columns,
    unserializable: &mut UnserializableKinds,
) -> Vec<u8> {
    let mut chunk = Chunk::default();
    put_rows(&mut chunk, metric, converted_rows(py, metric, columns, unserializable).into_iter());
    let mut body = Vec::new();
    encode(&chunk, |message| {
        if body.is_empty() {
            body = message.body;
        } else {
            join(&mut body, &message.body);
        }
    });
    if body.is_empty() { b"[]".into() } else { body }
}

/// Rows, converted: conversions call into Python, which must not happen while the buffer is
/// locked.
fn converted_rows(
    py: Python<'_>,
    metric: &record::Metric,
    columns: &Columns,
    unserializable: &mut UnserializableKinds,
) -> Vec<PathAndContent> {
    rows(columns).map(|row| converted(py, metric, row, unserializable)).collect()
}

/// Puts rows into a chunk; true if one of them is of a call that failed.
fn put_rows<P: Borrow<Rc<Path>>>(
    chunk: &mut Chunk,
    metric: &Arc<record::Metric>,
    rows: impl Iterator<Item = (P, Content)>,
) -> bool {
    let number = chunk.metric(metric);
    let mut raised = false;
    for (path, content) in rows {
        raised |= content.error_raised();
        put(chunk, number, path.borrow(), content);
    }
    raised
}

fn put(chunk: &mut Chunk, metric: u32, path: &Rc<Path>, content: Content) {
    let slot = chunk.text(path.slot().get(), |text| path.write_text(text));
    path.slot().set(slot);
    chunk.push(metric, slot, content);
}

/// A row that needs no conversion.
fn plain((value, labels, method): Row<'_>) -> Option<(&Rc<Path>, Content)> {
    let error_raised = match labels {
        RecordLabels::None => None,
        RecordLabels::ErrorRaised(raised) => Some(*raised),
        RecordLabels::Object(_) => return None,
    };
    match (value, method) {
        (RecordValue::Number(operation, number), RecordMethod::Path(path)) => {
            Some((path, Content::Number { operation: *operation, error_raised, number: *number }))
        }
        _ => None,
    }
}

fn converted(
    py: Python<'_>,
    metric: &record::Metric,
    (value, labels, method): Row<'_>,
    unserializable: &mut UnserializableKinds,
) -> PathAndContent {
    if let Some((path, content)) = plain((value, labels, method)) {
        return (Rc::clone(path), content);
    }
    let (operation, value) = value.for_json(py, unserializable);
    let labels = labels.for_json(py, unserializable);
    let (path, other) = match method {
        RecordMethod::Path(path) => {
            (Rc::clone(path), Converted::Value { operation, value, labels })
        }
        // An object that a user put into the column: its JSON need not be that of its text.
        RecordMethod::Object(method) => {
            let method = method.bind(py);
            let text = text_of(method);
            let json = json_value::value_of(method, FIELD_DEPTH, unserializable);
            let mut record = Vec::new();
            let write_method = |out: &mut Vec<u8>| json.write_json(out);
            write_head(metric, item_of(&text), write_method, &mut record);
            write_value(&mut record, operation.as_deref(), &value, &labels);
            let error_raised = labels.error_raised();
            (Path::literal(""), Converted::Json { record: record.into(), error_raised })
        }
    };
    (path, Content::Converted(Box::new(other)))
}

/// Puts records that are dicts into the buffer; the job of the first is the routing key of all.
///
/// Errors: `KeyError` or `TypeError` if the first has no job; none is put into the buffer then.
pub(crate) fn push_dicts(
    sender: &Sender,
    name: &str,
    records: &Bound<'_, PyAny>,
    unserializable: &mut UnserializableKinds,
) -> PyResult<()> {
    let mut job = None;
    let mut rows = Vec::new();
    for record in records.try_iter()? {
        let record = record?;
        if job.is_none() {
            job = Some(job_of(&record)?);
        }
        rows.push(record_to_json(&record, unserializable));
    }
    let Some(job) = job else { return Ok(()) };
    sender.push(|chunk| {
        let number = chunk.metric_of_json(name, &job);
        for record in rows {
            let json = Converted::Json { record, error_raised: false };
            chunk.push(number, TextSlot::default(), Content::Converted(Box::new(json)));
        }
    });
    Ok(())
}

fn record_to_json(
    record: &Bound<'_, PyAny>,
    unserializable: &mut UnserializableKinds,
) -> Box<[u8]> {
    let mut writer = Writer::new(RECORD_DEPTH, unserializable);
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

/// One message, to be published on its own.
pub(crate) struct Message {
    pub(crate) routing_key: String,
    pub(crate) records: u32,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A message of records that are dicts, at least one.
    ///
    /// Errors: `KeyError` or `TypeError` if the first has no job.
    pub(crate) fn of_dicts(
        records: &Bound<'_, PyAny>,
        unserializable: &mut UnserializableKinds,
    ) -> PyResult<Self> {
        let (count, body) = body_of_dicts(records, unserializable)?;
        Ok(Self { routing_key: job_of(&records.get_item(0)?)?, records: count, body })
    }
}

/// The number of records that are dicts, and the body of a message with them; keys stay in the
/// order of each dict.
///
/// Errors: what iterating raises.
pub(crate) fn body_of_dicts(
    records: &Bound<'_, PyAny>,
    unserializable: &mut UnserializableKinds,
) -> PyResult<(u32, Vec<u8>)> {
    let mut body = vec![b'['];
    let mut count = 0;
    for record in records.try_iter()? {
        if count > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&record_to_json(&record?, unserializable));
        count += 1;
    }
    body.push(b']');
    Ok((count, body))
}
