//! Records from the moment a caller hands them over until they are encoded.
//!
//! | module         | concept |
//! |----------------|---------|
//! | `metric_index` | which metrics a chunk has already |
//! | `chunk`        | records as a caller puts them down |
//! | `encode`       | a chunk's records as the JSON bodies of messages |
//! | `buffer`       | chunks that wait, bounded |

pub(crate) mod buffer;
pub(crate) mod chunk;
pub(crate) mod encode;
mod metric_index;
