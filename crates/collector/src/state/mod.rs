//! What was counted, on disk: the embedded store of one collector.

pub(crate) mod store;
