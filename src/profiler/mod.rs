//! The native half of a `Profiler`, and the hand-over of its records to handlers.
//!
//! | module          | concept |
//! |-----------------|---------|
//! | `plan`          | one configuration, worked out when it changes |
//! | `core`          | a profiler's tree of calls, its plan, hand-overs under way |
//! | `function_info` | a decorated function's name, its profiler, and the paths of its calls |
//! | `class_names`   | names of a method by the classes of the objects that it is called on |
//! | `sampling`      | which trees are recorded, if not all are |
//! | `report`        | calls to the Python half: log a failure, queue dispatches |
//! | `aflush`        | awaiting asynchronous handlers for a limited time |
//! | `handover`      | from a metric's columns to each handler |

pub(crate) mod aflush;
pub(crate) mod class_names;
pub(crate) mod core;
pub(crate) mod function_info;
pub(crate) mod handover;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod sampling;
