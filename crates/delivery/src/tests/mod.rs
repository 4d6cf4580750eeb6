//! Delivery without a broker: part of the library when it is tested, since what is tested here
//! is nobody's business outside.

mod buffer;
mod encode;
mod fixtures;
mod memory;
mod outbox;
mod spool;
mod store;
