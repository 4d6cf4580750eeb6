//! The link to a collector on this machine, over a Unix socket.
//!
//! | module     | concept |
//! |------------|---------|
//! | `frame`    | what the two say to each other |
//! | `settings` | where the collector is |
//! | `link`     | one connection |

pub mod frame;
mod link;
pub(crate) mod settings;
