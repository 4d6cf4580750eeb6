//! How a handler delivers, whatever its link.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::link::Connector;

/// Everything needed to deliver; values were checked before they get here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to, and by which kind of link.
    pub connector: Arc<dyn Connector>,
    /// How long the receiver may take no messages before the link is replaced.
    pub blocked_timeout: Duration,
    /// How long the receiver may leave sent messages without any answer before the link is
    /// replaced; also how long the disk may take at the end.
    pub answer_timeout: Duration,
    /// How often a probe tries to open a link.
    pub attempts: u32,
    /// Between two attempts of a probe; also the first pause before the engine opens another link.
    pub retry_delay: Duration,
    /// Memory for waiting records.
    pub buffer_bytes: usize,
    pub spool: Option<SpoolSettings>,
}

/// Messages on disk.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    pub directory: PathBuf,
    /// Of all bodies together; the file takes up to half as much again.
    pub max_bytes: u64,
    /// The interval at which files of dead processes are looked for.
    pub adopt_interval: Duration,
}
