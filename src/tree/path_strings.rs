//! Python strings of paths, made once: handlers written in Python get the same ones again and
//! again, and making them costs 90 ns per record.

use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::path::{Path, TextSlot, item_of};

use crate::interp::gil_cell::GilCell;

/// When this many paths are known the table starts anew.
const KEPT: usize = 4096;

struct Strings {
    /// Of the table, from 1: paths remember where in which table they are.
    serial: u64,
    /// The part before the `:`, and the whole.
    known: Vec<(Py<PyString>, Py<PyString>)>,
}

static STRINGS: GilCell<Strings> = GilCell::new(Strings { serial: 1, known: Vec::new() });

/// What `path` is as `item` and `method` of a record.
pub(crate) fn of<'py>(
    py: Python<'py>,
    path: &Path,
) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
    let slot = path.string_slot().get();
    let known = STRINGS.with(py, |strings| {
        if slot.table != strings.serial {
            return None;
        }
        let (item, whole) = strings.known.get(slot.index as usize)?;
        Some((item.bind(py).clone(), whole.bind(py).clone()))
    });
    known.unwrap_or_else(|| {
        let text = path.text();
        let (item, whole) = (PyString::new(py, item_of(&text)), PyString::new(py, &text));
        remember(py, path, (item.clone().unbind(), whole.clone().unbind()));
        (item, whole)
    })
}

fn remember(py: Python<'_>, path: &Path, strings: (Py<PyString>, Py<PyString>)) {
    let full = STRINGS.with(py, |table| {
        let full = (table.known.len() >= KEPT).then(|| {
            table.serial += 1;
            std::mem::take(&mut table.known)
        });
        let index = u32::try_from(table.known.len()).unwrap_or(u32::MAX);
        path.string_slot().set(TextSlot { table: table.serial, index });
        table.known.push(strings);
        full
    });
    drop(full);
}
