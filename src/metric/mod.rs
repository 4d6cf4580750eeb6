//! Metrics: the records that wait in them, their attributes, and the operations that store records.
//!
//! | module               | concept |
//! |----------------------|---------|
//! | `record_value`       | the value of a record, for Python, text and JSON |
//! | `record_labels`      | the labels of a record, likewise |
//! | `record_method`      | the method of a record, likewise |
//! | `columns`            | records as columns of values, labels and methods |
//! | `record_line`        | records as lines of text |
//! | `record_dict`        | records as dicts |
//! | `metadata`           | the attributes of a metric, which each record repeats |
//! | `waiting_records`    | the waiting records, shared or checked out by one execution |
//! | `operation_defaults` | what `store_operation` sets for the operations called inside it |
//! | `base`               | `MetricStore`, the base class of the metric classes: storage |
//! | `lists`              | the columns as the lists that users see and edit |
//! | `log`                | log lines of a metric, limited in rate |
//! | `value_check`        | which values an operation takes |
//! | `label_check`        | which labels an operation takes |
//! | `operation`          | operations: checks, then a record |
//! | `methods`            | the methods of `MetricStore` for Python |

pub(crate) mod base;
pub(crate) mod columns;
pub(crate) mod label_check;
pub(crate) mod lists;
pub(crate) mod log;
pub(crate) mod metadata;
mod methods;
pub(crate) mod operation;
pub(crate) mod operation_defaults;
pub(crate) mod record_dict;
pub(crate) mod record_labels;
pub(crate) mod record_line;
pub(crate) mod record_method;
pub(crate) mod record_value;
pub(crate) mod value_check;
pub(crate) mod waiting_records;
