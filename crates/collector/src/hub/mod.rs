//! Where everything meets: messages of all sources are counted, stored, and then acknowledged.
//!
//! | module      | concept |
//! |-------------|---------|
//! | `clock`     | milliseconds of the epoch |
//! | `log`       | lines for the operator, limited in rate |
//! | `condition` | how the parts are doing, for health checks and own metrics |
//! | `shared`    | what sources, committer and server share |
//! | `looking`   | the call tree, for pages and `phanos top` |
//! | `committer` | stores what has changed, again and again |
//! | `metrics`   | the collector's own metrics |

pub(crate) mod clock;
pub(crate) mod committer;
pub(crate) mod condition;
pub(crate) mod log;
pub(crate) mod looking;
pub(crate) mod metrics;
pub(crate) mod shared;
