//! Processes of one user on one machine that share a port: one of them counts and serves, all send
//! to it. When it ends, however it ends, another takes its place.
//!
//! | module      | concept |
//! |-------------|---------|
//! | `settings`  | what they have to agree on |
//! | `folder`    | where their socket and their locks are, and whom that belongs to |
//! | `leader`    | the one that counts and serves |
//! | `connector` | a process's way to it, which makes it the leader where there is none |

pub(crate) mod connector;
pub(crate) mod folder;
pub(crate) mod leader;
pub(crate) mod settings;
