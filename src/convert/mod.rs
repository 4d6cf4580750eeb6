//! Python objects as text and as JSON, and the rate limit of log lines.
//!
//! | module           | concept |
//! |------------------|---------|
//! | `scalar`         | scalars as values of the core, for text and JSON alike |
//! | `text`           | text of any object, also if its own methods raise |
//! | `log_line`       | lines for loggers that need only have `log` |
//! | `rate_limit`     | log lines that repeat: one a minute of each kind |
//! | `unserializable` | kinds of values that JSON cannot hold, to be logged |
//! | `imported`       | attributes of modules that the program has imported |
//! | `settled`        | values as they are when a call is made |
//! | `json_uuid`      | UUIDs as JSON |
//! | `json_datetime`  | dates and times as JSON |
//! | `json_value`     | any Python object as JSON |
//! | `json_dataclass` | dataclass instances as JSON, a part of `json_value` |

pub(crate) mod imported;
pub(crate) mod json_dataclass;
pub(crate) mod json_datetime;
pub(crate) mod json_uuid;
pub(crate) mod json_value;
pub(crate) mod log_line;
pub(crate) mod rate_limit;
pub(crate) mod scalar;
pub(crate) mod settled;
pub(crate) mod text;
pub(crate) mod unserializable;
