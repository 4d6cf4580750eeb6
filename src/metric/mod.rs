//! What metric classes inherit: columns of waiting records, labels, operations.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `base`        | the base class of the metric classes |
//! | `waiting_records`       | waiting records, shared or lent to one execution |
//! | `metadata`        | the attributes that every record repeats |
//! | `lists`       | the columns as the lists that users see and edit |
//! | `operation_defaults`     | what `store_operation` lends to the operations called from it |
//! | `operation`   | which values and labels an operation takes |
//! | `columns`        | what columns hold, and its conversions |
//! | `record_dict` | records as dicts |

pub(crate) mod base;
pub(crate) mod columns;
pub(crate) mod lists;
pub(crate) mod metadata;
pub(crate) mod operation;
pub(crate) mod operation_defaults;
pub(crate) mod record_dict;
pub(crate) mod waiting_records;
