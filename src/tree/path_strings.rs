//! Paths as Python strings, made once: handlers written in Python get the same strings again and
//! again, and making them would cost 90 ns per record.

use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::path::{Path, TextSlot, item_of_path};

use crate::interp::gil_cell::GilCell;

/// A table with strings of this many paths is replaced by an empty one.
const MAX_PATHS: usize = 4096;

struct Table {
    /// Number of the table, from 1: a path has the number of the table that holds its strings.
    serial: u64,
    /// `item` and `method` of each path.
    strings: Vec<(Py<PyString>, Py<PyString>)>,
}

static TABLE: GilCell<Table> = GilCell::new(Table { serial: 1, strings: Vec::new() });

/// The fields `item` and `method` of a record of `path`.
pub(crate) fn item_and_method<'py>(
    py: Python<'py>,
    path: &Path,
) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
    let slot = path.string_slot().get();
    let known = TABLE.with(py, |table| {
        if slot.table != table.serial {
            return None;
        }
        let (item, method) = table.strings.get(slot.index as usize)?;
        Some((item.bind(py).clone(), method.bind(py).clone()))
    });
    known.unwrap_or_else(|| {
        let text = path.text();
        let (item, method) = (PyString::new(py, item_of_path(&text)), PyString::new(py, &text));
        remember(py, path, (item.clone().unbind(), method.clone().unbind()));
        (item, method)
    })
}

fn remember(py: Python<'_>, path: &Path, strings: (Py<PyString>, Py<PyString>)) {
    let replaced = TABLE.with(py, |table| {
        let replaced = (table.strings.len() >= MAX_PATHS).then(|| {
            table.serial += 1;
            std::mem::take(&mut table.strings)
        });
        let index = u32::try_from(table.strings.len()).unwrap_or(u32::MAX);
        path.string_slot().set(TextSlot { table: table.serial, index });
        table.strings.push(strings);
        replaced
    });
    drop(replaced);
}
