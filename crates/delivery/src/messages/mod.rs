//! Messages from when they are made until the receiver has confirmed them.
//!
//! | module           | concept |
//! |------------------|---------|
//! | `confirm_waiter` | a caller waiting for one message to be confirmed |
//! | `message`        | one message: a JSON array of records of one metric |
//! | `outbox`         | messages that wait to be sent, and messages in flight |

pub(crate) mod confirm_waiter;
pub(crate) mod message;
pub(crate) mod outbox;
