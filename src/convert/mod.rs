//! Python values as text and as JSON, and log lines that repeat.
//!
//! | module           | concept |
//! |------------------|---------|
//! | `text`           | text of any object, whatever its own methods do |
//! | `scalar`         | values that look alike in text and in JSON |
//! | `json_value`     | Python objects as JSON, made of the next two |
//! | `json_dataclass` | dataclass instances |
//! | `json_moment`    | dates, times, UUIDs |
//! | `rate_limit`     | log lines that repeat, once a minute |
//! | `unserializable`        | what JSON cannot hold, told once |

pub(crate) mod json_dataclass;
pub(crate) mod json_moment;
pub(crate) mod json_value;
pub(crate) mod rate_limit;
pub(crate) mod scalar;
pub(crate) mod text;
pub(crate) mod unserializable;
