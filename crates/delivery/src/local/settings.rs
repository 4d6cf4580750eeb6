//! Where the receiver on this machine is.

use std::path::PathBuf;
use std::time::Duration;

/// A Unix socket at which a receiver listens.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    pub path: PathBuf,
    /// For the connection and the receiver's welcome.
    pub connect_timeout: Duration,
}
