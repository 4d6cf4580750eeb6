//! From chunks to messages: the records of one metric that wait together travel together.

use std::io::Write as _;
use std::sync::Arc;

use serde::Serialize;

use crate::core::path::item_of;
use crate::core::record::{ERROR_RAISED, Metric};

use super::chunk::{Chunk, Content, Entry, Other};

/// A message is closed beyond it.
const BODY_BYTES: usize = 256 * 1024;

/// A message's body and what it is made of.
pub(super) struct Encoded {
    pub(super) metric: Arc<Metric>,
    pub(super) body: Vec<u8>,
    pub(super) records: u32,
}

/// Gives the messages of `chunk` to `emit`, metric by metric, each metric's in order.
pub(super) fn encode(chunk: &Chunk, mut emit: impl FnMut(Encoded)) {
    let mut by_metric: Vec<Vec<&Entry>> = chunk.metrics.iter().map(|_| Vec::new()).collect();
    for entry in &chunk.entries {
        by_metric[entry.metric as usize].push(entry);
    }
    for (metric, entries) in chunk.metrics.iter().zip(by_metric) {
        let mut heads: Vec<Option<Box<[u8]>>> = vec![None; chunk.texts.len()];
        let mut body = Vec::new();
        let mut records = 0;
        for entry in entries {
            body.push(if records == 0 { b'[' } else { b',' });
            if let Content::Other(other) = &entry.content
                && let Other::Json(json) = &**other
            {
                body.extend_from_slice(json);
            } else {
                let slot = entry.text as usize;
                let head = heads[slot].get_or_insert_with(|| head(metric, &chunk.texts[slot]));
                body.extend_from_slice(head);
                write_rest(&mut body, &entry.content);
            }
            records += 1;
            if body.len() >= BODY_BYTES {
                body.push(b']');
                let full = std::mem::take(&mut body);
                emit(Encoded { metric: Arc::clone(metric), body: full, records });
                records = 0;
            }
        }
        if records > 0 {
            body.push(b']');
            emit(Encoded { metric: Arc::clone(metric), body, records });
        }
    }
}

/// A record up to its labels.
fn head(metric: &Metric, method: &str) -> Box<[u8]> {
    let mut out = Vec::with_capacity(128 + 2 * method.len());
    for (key, value) in [
        (&b"{\"item\":"[..], item_of(method)),
        (b",\"metric\":", metric.kind()),
        (b",\"units\":", metric.units()),
        (b",\"job\":", metric.job()),
        (b",\"method\":", method),
    ] {
        out.extend_from_slice(key);
        write_json(&mut out, value);
    }
    out.extend_from_slice(b",\"labels\":");
    out.into()
}

/// Labels and value.
fn write_rest(out: &mut Vec<u8>, content: &Content) {
    match content {
        Content::Number { operation, error_raised, number } => {
            match error_raised {
                None => out.extend_from_slice(b"{}"),
                Some(raised) => {
                    let _ = write!(out, "{{\"{ERROR_RAISED}\":{raised}}}");
                }
            }
            out.extend_from_slice(b",\"value\":[\"");
            out.extend_from_slice(operation.name().as_bytes());
            out.extend_from_slice(b"\",");
            write_json(out, number);
        }
        Content::Other(other) => {
            let Other::Value { operation, value, labels } = &**other else { return };
            write_json(out, labels);
            out.extend_from_slice(b",\"value\":[");
            write_json(out, &**operation);
            out.push(b',');
            write_json(out, value);
        }
    }
    out.extend_from_slice(b"]}");
}

fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing to memory cannot fail, and no key is anything but a string.
    let _ = serde_json::to_writer(out, value);
}
