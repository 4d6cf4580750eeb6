//! The native half of the handler for Prometheus, and of the command `phanos`.
//!
//! | module          | concept |
//! |-----------------|---------|
//! | `host_settings` | settings, from their Python form to those of delivery and collector |
//! | `command`       | the command |

pub(crate) mod command;
pub(crate) mod host_settings;
