//! The native half of a `Profiler`, and handing over.
//!
//! | module     | concept |
//! |------------|---------|
//! | `core`     | current node, plan, waiting records |
//! | `plan`     | one configuration, worked out when it changes |
//! | `function_info`     | what is known of a decorated function: its name, profiler and paths |
//! | `report`   | failures to log and batches to line up, given to the Python half |
//! | `aflush`   | awaiting asynchronous handlers for a limited time |
//! | `handover` | from columns to handlers |

pub(crate) mod aflush;
pub(crate) mod core;
pub(crate) mod function_info;
pub(crate) mod handover;
pub(crate) mod plan;
pub(crate) mod report;
