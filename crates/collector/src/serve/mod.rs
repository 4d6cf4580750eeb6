//! The HTTP side: the page at `/`, what it shows, `/metrics` and health checks.
//!
//! | module    | concept |
//! |-----------|---------|
//! | `events`  | server-sent events |
//! | `answer`  | answers, and the headers that all of them have |
//! | `token`   | the token that clients may have to send |
//! | `tls`     | certificates, and connections by them |
//! | `access`  | who may read |
//! | `assets`  | the files of the page |
//! | `query`   | what stands behind the question mark |
//! | `calls`   | the call tree, once or as events |
//! | `routes`  | which path has what |
//! | `server`  | connections |

pub(crate) mod access;
pub(crate) mod answer;
pub(crate) mod assets;
pub(crate) mod calls;
pub(crate) mod events;
pub(crate) mod query;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod token;
