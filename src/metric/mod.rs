//! What metric classes inherit: columns of waiting records, labels, operations.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `base`        | the base class of the metric classes |
//! | `store`       | waiting records, shared or lent to one strand |
//! | `head`        | the attributes that every record repeats |
//! | `lists`       | the columns as the lists that users see and edit |
//! | `ambient`     | what `store_operation` lends to the operations called from it |
//! | `operation`   | which values and labels an operation takes |
//! | `cell`        | what columns hold, and its conversions |
//! | `record_dict` | records as dicts |

pub(crate) mod ambient;
pub(crate) mod base;
pub(crate) mod cell;
pub(crate) mod head;
pub(crate) mod lists;
pub(crate) mod operation;
pub(crate) mod record_dict;
pub(crate) mod store;
