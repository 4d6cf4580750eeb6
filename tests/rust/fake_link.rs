//! A link without a network, which a test tells how to answer: the second kind of link, beside
//! AMQP, that the engine works with.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use phanos_delivery::flume;
use phanos_delivery::{
    Answer, Connector, Envelope, Failure, Link, LinkEvent, LinkFuture, Outcome, ReturnedMessage,
    Wording,
};

/// What the receiver does with a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reaction {
    Confirm,
    Reject,
    /// Confirm, and say that no consumer gets it.
    Return,
    /// Break the link.
    Break,
    /// Break the link over this message.
    Blame,
    /// Never answer.
    Ignore,
    /// Say with the confirmation of the next message that this one, confirmed before, was returned.
    ReturnLate,
    /// Confirm, and say that a message was returned that was never sent.
    ReturnUnknown,
    /// Panic, as a library with a mistake would.
    Panic,
}

#[derive(Debug)]
struct Inner {
    /// What to do with the next messages.
    reactions: VecDeque<Reaction>,
    /// What to do with the messages after them.
    otherwise: Reaction,
    /// Errors of the next attempts to connect.
    refusals: VecDeque<Failure>,
    /// The return to be told with the next confirmation.
    late: Option<Box<ReturnedMessage>>,
    /// Events of the link that is open, and the engine that waits for one.
    events: VecDeque<LinkEvent>,
    waker: Option<Waker>,
}

/// Opens fake links, and keeps what the receiver got.
#[derive(Debug)]
pub(crate) struct FakeConnector {
    inner: Arc<Mutex<Inner>>,
    /// How many links were opened, and how many were closed in good order.
    pub(crate) opened: Arc<AtomicUsize>,
    pub(crate) closed: Arc<AtomicUsize>,
    /// What was said with each message of numbers that will not follow.
    pub(crate) settled: Arc<Mutex<Vec<Option<u64>>>>,
    /// Every message, each time it was sent, and a channel that a test can wait for.
    sent: flume::Sender<(Envelope, Vec<u8>)>,
    pub(crate) received: flume::Receiver<(Envelope, Vec<u8>)>,
}

impl FakeConnector {
    /// Reacts to the first messages by `reactions`, to all others by `otherwise`.
    pub(crate) fn new(reactions: &[Reaction], otherwise: Reaction) -> Arc<Self> {
        let (sent, received) = flume::unbounded();
        let inner = Inner {
            reactions: reactions.iter().copied().collect(),
            otherwise,
            refusals: VecDeque::new(),
            late: None,
            events: VecDeque::new(),
            waker: None,
        };
        Arc::new(Self {
            settled: Arc::default(),
            inner: Arc::new(Mutex::new(inner)),
            opened: Arc::default(),
            closed: Arc::default(),
            sent,
            received,
        })
    }

    /// Lets the next attempt to connect fail.
    pub(crate) fn refuse_once(&self, failure: Failure) {
        self.inner.lock().unwrap().refusals.push_back(failure);
    }

    /// Lets something happen to the link.
    pub(crate) fn happen(&self, event: LinkEvent) {
        let mut inner = self.inner.lock().unwrap();
        inner.events.push_back(event);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }
}

impl Connector for FakeConnector {
    fn open(&self) -> LinkFuture<'_, Result<Box<dyn Link>, Failure>> {
        Box::pin(async {
            if let Some(failure) = self.inner.lock().unwrap().refusals.pop_front() {
                return Err(failure);
            }
            self.opened.fetch_add(1, Ordering::SeqCst);
            let link = FakeLink {
                settled: Arc::clone(&self.settled),
                inner: Arc::clone(&self.inner),
                closed: Arc::clone(&self.closed),
                sent: self.sent.clone(),
            };
            Ok(Box::new(link) as Box<dyn Link>)
        })
    }

    fn address(&self) -> String {
        "fake://receiver".into()
    }

    fn destination(&self) -> String {
        "fake".into()
    }

    fn wording(&self) -> &'static Wording {
        &Wording {
            product: "the fake",
            receiver: "the receiver",
            lost_route: "messages reach no consumer any more",
            rejection_hint: "full?",
            unroutable: "no consumer gets them",
            blamed: "the receiver breaks the link over them",
            takes_turns: false,
        }
    }
}

struct FakeLink {
    settled: Arc<Mutex<Vec<Option<u64>>>>,
    inner: Arc<Mutex<Inner>>,
    closed: Arc<AtomicUsize>,
    sent: flume::Sender<(Envelope, Vec<u8>)>,
}

impl Link for FakeLink {
    fn publish(
        &self,
        envelope: &Envelope,
        settled: Option<u64>,
        body: Arc<Vec<u8>>,
    ) -> LinkFuture<'static, Answer> {
        self.settled.lock().unwrap().push(settled);
        let reaction = {
            let mut inner = self.inner.lock().unwrap();
            inner.reactions.pop_front().unwrap_or(inner.otherwise)
        };
        assert!(!matches!(reaction, Reaction::Panic), "told to panic");
        let _ = self.sent.send((envelope.clone(), body.to_vec()));
        let returned = Box::new(ReturnedMessage {
            id: envelope.id.clone(),
            routing_key: envelope.routing_key.clone(),
            metric: envelope.metric.clone(),
            body: body.to_vec(),
        });
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let failure = Failure::Lost("told to break".into());
            let outcome = match reaction {
                Reaction::Ignore | Reaction::Panic => return std::future::pending().await,
                Reaction::Reject => Outcome::Rejected,
                Reaction::Break => Outcome::Broken { failure, blames_message: false },
                Reaction::Blame => Outcome::Broken { failure, blames_message: true },
                Reaction::Confirm
                | Reaction::Return
                | Reaction::ReturnLate
                | Reaction::ReturnUnknown => Outcome::Confirmed,
            };
            let late = inner.lock().unwrap().late.take();
            let returned = match reaction {
                Reaction::Return => Some(returned),
                Reaction::ReturnUnknown => Some(Box::new(ReturnedMessage {
                    id: "never sent".into(),
                    body: b"[1,2,3]".to_vec(),
                    ..*returned
                })),
                Reaction::ReturnLate => {
                    inner.lock().unwrap().late = Some(returned);
                    late
                }
                _ => late,
            };
            Answer { outcome, returned }
        })
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<LinkEvent> {
        let mut inner = self.inner.lock().unwrap();
        if let Some(event) = inner.events.pop_front() {
            return Poll::Ready(event);
        }
        inner.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn failure(&self) -> Option<Failure> {
        None
    }

    fn close(self: Box<Self>, _timeout: Duration) -> LinkFuture<'static, ()> {
        self.closed.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    }
}
