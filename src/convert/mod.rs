//! Python values as text and JSON.
//!
//! | module           | concept |
//! |------------------|---------|
//! | `json_value`     | Python objects as JSON, made of the next two |
//! | `json_dataclass` | dataclass instances |
//! | `json_moment`    | dates, times, UUIDs |
//! | `refused`        | what JSON cannot hold, told once |

pub(crate) mod json_dataclass;
pub(crate) mod json_moment;
pub(crate) mod json_value;
pub(crate) mod refused;
