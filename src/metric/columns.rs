//! The columns of a metric's records: values, labels and methods.
//!
//! The profiler's own values, labels and methods are stored as plain Rust data; what users store
//! is kept as the Python object that it is.

use phanos_core::column;

use crate::metric::record_labels::RecordLabels;
use crate::metric::record_method::RecordMethod;
use crate::metric::record_value::RecordValue;

pub(crate) type Columns = column::Columns<RecordValue, RecordLabels, RecordMethod>;

/// One record, in its columns.
pub(crate) type Row<'a> = (&'a RecordValue, &'a RecordLabels, &'a RecordMethod);

/// The complete records, oldest first.
pub(crate) fn rows(columns: &Columns) -> impl Iterator<Item = Row<'_>> {
    let rows = columns.values.iter().zip(&columns.labels).zip(&columns.methods);
    rows.map(|((value, labels), method)| (value, labels, method))
}
