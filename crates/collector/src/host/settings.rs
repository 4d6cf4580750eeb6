//! What processes that share a port have to agree on.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::aggregate::options::Options;
use crate::serve::token::Token;

#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Where `/metrics` is served.
    pub listen: SocketAddr,
    pub token: Option<Token>,
    /// Where counts are kept from one run to the next; `None`: for one run, until the last process
    /// has ended.
    pub state: Option<PathBuf>,
    /// Where the folder of socket and locks is made; `None`: where the system has such folders.
    pub runtime: Option<PathBuf>,
    pub options: Options,
}
