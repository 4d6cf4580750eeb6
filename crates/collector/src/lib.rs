//! The collector: from messages with records to a page that Prometheus reads. Knows no Python.
//!
//! Modules and folders, lowest first: each uses only those above it in this table.
//!
//! | module      | concept |
//! |-------------|---------|
//! | `intake`    | messages, and the records in their bodies |

mod intake;

pub use intake::body::{Body, Element};
pub use intake::kind::Kind;
pub use intake::labels::Labels;
pub use intake::message::Message;
pub use intake::number::read as read_number;
pub use intake::reason::Reason;
pub use intake::record::Record;
pub use intake::split::Split;
pub use intake::value::Value;
