//! The network side of one handler: one task that moves records from the buffer to the receiver,
//! and keeps every message until the receiver has confirmed it. It knows links by their traits.
//!
//! | module           | concept |
//! |------------------|---------|
//! | `backoff`        | pauses between attempts to connect |
//! | `routing`        | whether messages reach a consumer |
//! | `command`        | what callers ask of the engine |
//! | `connection`     | the link: none, being opened, or open |
//! | `unsettled`      | which messages may still be sent |
//! | `state`          | the engine's fields |
//! | `end_message`    | a message is confirmed or dropped |
//! | `collect`        | records of the buffer become messages |
//! | `connect`        | links are opened, watched and replaced |
//! | `send`           | messages are sent |
//! | `settle`         | the receiver's answers |
//! | `drive_spool`    | messages go to disk and come back |
//! | `handle_command` | commands, and callers that wait for a reply |
//! | `stop`           | the end of the engine |
//! | `orphans`        | an engine that is dropped in the middle of its work |
//! | `run`            | step after step of all this |

mod backoff;
mod collect;
mod command;
mod connect;
mod connection;
mod drive_spool;
mod end_message;
mod handle_command;
mod orphans;
mod routing;
mod run;
mod send;
mod settle;
mod state;
mod stop;
mod unsettled;

pub(crate) use crate::engine::command::Command;
pub(crate) use crate::engine::state::Engine;
