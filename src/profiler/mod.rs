//! The native half of a `Profiler`, and handing over.
//!
//! | module     | concept |
//! |------------|---------|
//! | `core`     | current node, plan, waiting records |
//! | `plan`     | one configuration, worked out when it changes |
//! | `site`     | what is known of a decorated function: its name, profiler and paths |
//! | `handover` | from columns to handlers |

pub(crate) mod core;
pub(crate) mod handover;
pub(crate) mod plan;
pub(crate) mod site;
