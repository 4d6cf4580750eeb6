//! `phanos top`: the call paths in a terminal.
//!
//! | module   | concept |
//! |----------|---------|
//! | `client` | a collector's answers over HTTP |
//! | `source` | where answers come from: a collector, or a broker |
//! | `rows`   | an answer as rows: sorted, searched, as a tree |
//! | `text`   | rows as lines of text |
//! | `screen` | lines on a terminal, and keys |

pub(crate) mod client;
pub(crate) mod rows;
pub(crate) mod screen;
pub(crate) mod source;
pub(crate) mod text;
