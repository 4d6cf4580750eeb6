//! The HTTP side: `/metrics` and health checks.
//!
//! | module    | concept |
//! |-----------|---------|
//! | `answer`  | answers, and the headers that all of them have |
//! | `token`   | who may read |
//! | `routes`  | which path has what |
//! | `server`  | connections |

pub(crate) mod answer;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod token;
