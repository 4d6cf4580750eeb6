//! Tests of what the crate does not export. Those of its public API are in `tests/rust`.

mod allocated;
mod buffer;
mod fixtures;
mod memory;
mod outbox;
mod spool;
mod spool_file;
