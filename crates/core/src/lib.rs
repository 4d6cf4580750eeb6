//! The core of `phanos`: the name of a call, its place in the tree of live calls, its record, and
//! the record as text and as JSON. Knows neither Python nor the network.
//!
//! Modules, lowest first: each uses only those above it in this table.
//!
//! | module         | concept |
//! |----------------|---------|
//! | `clock`        | the clock that calls are timed with |
//! | `rate_limiter` | when a log line that repeats may be written again |
//! | `label`        | which label names a metric expects, and the text of a mismatch |
//! | `column`       | a metric's waiting records: three columns that users may edit |
//! | `forest`       | the tree of live calls: an arena with removal in constant time |
//! | `path`         | dotted context of a call (`Owner:root.leaf`) |
//! | `path_cache`   | the paths of a process, interned per parent and name, and how many there may be |
//! | `json`         | JSON strings and numbers as orjson writes them |
//! | `number`       | floats as Python and orjson print them; milliseconds of nanoseconds |
//! | `value`        | the value of a label or an operation, free of the interpreter |
//! | `record`       | what a record has beside context and value: metric, operation, labels |
//! | `record_json`  | the wire form of a record |
//! | `lines`        | the text form of a batch |

pub mod clock;
pub mod column;
pub mod forest;
pub mod json;
pub mod label;
pub mod lines;
pub mod number;
pub mod path;
pub mod path_cache;
pub mod rate_limiter;
pub mod record;
pub mod record_json;
pub mod value;
