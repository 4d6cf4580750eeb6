//! A link: how messages get to a receiver that confirms them, whatever protocol it speaks.
//!
//! The engine knows links by these traits alone. A kind of link is one folder beside this one
//! (`amqp/`) with its own settings, which implement [`Connector`].
//!
//! | module     | concept |
//! |------------|---------|
//! | `failure`  | why there is no link, or no longer one, in words |
//! | `envelope` | what a receiver gets of a message beside its body |
//! | this one   | the traits, and what a link tells of messages and of itself |

pub(crate) mod envelope;
pub(crate) mod failure;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::link::envelope::Envelope;
use crate::link::failure::Failure;
use crate::report::log_queue::LogLevel;

/// A future on the heap: links of several kinds stand behind one type.
pub type LinkFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The settings of one kind of link, which can open one.
pub trait Connector: fmt::Debug + Send + Sync {
    /// Opens a link. Must end by itself: each implementation has its own timeouts.
    fn open(&self) -> LinkFuture<'_, Result<Box<dyn Link>, Failure>>;

    /// The receiver's address as logs and errors name it, without credentials.
    fn address(&self) -> String;

    /// Names the place that messages go to. It may hold no credentials, and must never change
    /// from one version to the next: spool files are named by its hash.
    fn destination(&self) -> String;

    fn wording(&self) -> &'static Wording;

    /// The same for a forked child, if a connector belongs to one process.
    fn for_child(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    /// No engine works any more: lets go of what outlives links. Must end by itself.
    fn release(&self) -> LinkFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// One connection to a receiver that confirms messages. A link that failed is replaced by a new
/// one.
pub trait Link: Send {
    /// Sends a message. The future's first poll decides its place in the order of messages; the
    /// future ends when the receiver has answered for the message, or the link has broken.
    ///
    /// `settled`: of the envelope's worker no message with a lower number will follow; `None` if that
    /// is not known. `body` is a JSON array of records.
    fn publish(
        &self,
        envelope: &Envelope,
        settled: Option<u64>,
        body: Arc<Vec<u8>>,
    ) -> LinkFuture<'static, Answer>;

    /// Asks the receiver for answers as soon as it can, since a caller waits for them.
    fn flush(&self) {}

    /// The next event. After [`LinkEvent::Lost`] this is not called again.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<LinkEvent>;

    /// Why messages can no longer be sent; `None` while the link is open.
    fn failure(&self) -> Option<Failure>;

    /// Ends the link in good order, then drops what is left of it after `timeout`.
    fn close(self: Box<Self>, timeout: Duration) -> LinkFuture<'static, ()>;

    /// As [`Self::close`]; then waits up to `timeout` until the threads of the link have ended.
    fn close_and_join(self: Box<Self>, timeout: Duration) -> LinkFuture<'static, ()> {
        self.close(timeout)
    }
}

/// What a link tells at the end of a message's way.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Outcome,
    /// A message that the receiver accepted and could pass on to no consumer. It need not be the
    /// message that this answer is for: AMQP's client library tells of it with whichever
    /// confirmation comes next.
    pub returned: Option<Box<ReturnedMessage>>,
}

/// What became of one message.
#[derive(Debug)]
pub enum Outcome {
    /// The receiver has it.
    Confirmed,
    /// The receiver did not take it this time; it can be sent again.
    Rejected,
    /// The link broke, and the receiver may or may not have the message.
    Broken {
        failure: Failure,
        /// The receiver broke the link over one of the messages under way, which it would not
        /// take the next time either.
        blames_message: bool,
    },
}

/// A message that came back because no consumer gets it.
#[derive(Debug)]
pub struct ReturnedMessage {
    pub id: Box<str>,
    pub routing_key: Box<str>,
    pub metric: Box<str>,
    pub body: Vec<u8>,
}

/// What happens to a link as a whole.
#[derive(Debug)]
pub enum LinkEvent {
    /// The receiver takes no messages for now, for this reason.
    Blocked(String),
    /// The receiver takes messages again.
    Unblocked,
    /// The link is over.
    Lost(Failure),
    /// A line to log; of one `kind` at most one a minute is.
    Told { level: LogLevel, kind: String, text: String },
}

/// What log lines call a kind of receiver and what it does.
#[derive(Debug)]
pub struct Wording {
    /// The product, as in "no connection to RabbitMQ".
    pub product: &'static str,
    /// The receiver in the middle of a sentence, as in "no answer from the broker".
    pub receiver: &'static str,
    /// "messages ...": used to reach consumers, and do so no longer.
    pub lost_route: &'static str,
    /// Why a message is rejected for now, in brackets.
    pub rejection_hint: &'static str,
    /// "records dropped: ...": no consumer gets them.
    pub unroutable: &'static str,
    /// "records dropped: ...": the receiver breaks the link over them.
    pub blamed: &'static str,
    /// Receivers take turns: that a link is lost is in order, if another one can be opened.
    pub takes_turns: bool,
}
