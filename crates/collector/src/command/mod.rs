//! The command `phanos`: arguments, environment and file, and what they start.
//!
//! | module      | concept |
//! |-------------|---------|
//! | `arguments` | what can be said on the command line and in the environment |
//! | `file`      | the same in a TOML file |
//! | `quantity`  | times and sizes as people write them |
//! | `settings`  | what is used, checked |
//! | `signals`   | what the system says |
//! | `collect`   | a collector, from its start to its end |
//! | `top`       | `phanos top`: what it shows, once or live |
//! | `run`       | the command |

pub(crate) mod arguments;
pub(crate) mod collect;
pub(crate) mod file;
pub(crate) mod quantity;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod top;
