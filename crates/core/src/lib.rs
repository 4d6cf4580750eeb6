//! The core of `phanos`: the name of a call, its place in the tree, its record as text and as
//! JSON. Knows neither Python nor the network.
//!
//! | module   | concept |
//! |----------|---------|
//! | `clock`  | the clock that calls are timed with |
//! | `path`   | dotted context of a call (`Owner:root.leaf`), interned per parent and name |
//! | `forest` | which calls are live, under which other: an arena with constant-time removal |
//! | `value`  | a label's or an operation's value, free of the interpreter |
//! | `number` | floats the way Python and orjson print them; milliseconds from nanoseconds |
//! | `json`   | JSON as orjson writes it; the wire form of a record |
//! | `label`  | which label names a metric expects, and how a mismatch is told |
//! | `column` | a metric's records while they wait, as three columns that users may edit |
//! | `record` | metric, operation and labels of a record |
//! | `lines`  | the text form of a batch |
//! | `pace`   | when a repeated log line may be written again |

pub mod clock;
pub mod column;
pub mod forest;
pub mod json;
pub mod label;
pub mod lines;
pub mod number;
pub mod pace;
pub mod path;
pub mod record;
pub mod value;
