//! The link of the engine: none, being opened, or open.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::time::Instant;

use crate::link::failure::Failure;
use crate::link::{Link, LinkEvent};

type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Link>, Failure>> + Send>>;

pub(super) enum Connection {
    /// Until then no link is opened.
    Down {
        until: Instant,
    },
    Opening(Opening),
    Up(Box<dyn Link>),
}

pub(super) enum ConnectionEvent {
    Opened(Result<Box<dyn Link>, Failure>),
    Link(LinkEvent),
}

impl Connection {
    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    /// The next event; waits for ever if there is no link and none is being opened.
    pub(super) async fn event(&mut self) -> ConnectionEvent {
        match self {
            Self::Down { .. } => pending().await,
            Self::Opening(opening) => ConnectionEvent::Opened(opening.await),
            Self::Up(link) => {
                ConnectionEvent::Link(poll_fn(|context| link.poll_event(context)).await)
            }
        }
    }
}
