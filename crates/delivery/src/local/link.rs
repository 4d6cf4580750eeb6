//! One connection to a receiver on this machine.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixSocket;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::link::envelope::{Envelope, number_of_id};
use crate::link::failure::Failure;
use crate::link::{Answer, Connector, Link, LinkEvent, LinkFuture, Outcome, Wording};
use crate::local::frame::{self, LocalMessage, Reply};
use crate::local::settings::LocalSettings;
use crate::process::unshared::{Unshared, opening};

static WORDING: Wording = Wording {
    product: "the collector",
    receiver: "the collector",
    lost_route: "messages are not counted any more",
    rejection_hint: "ending?",
    unroutable: "nobody counts them",
    blamed: "the collector closes the connection over them",
    takes_turns: false,
};

/// Texts of a frame take little beside its body.
const HEAD_BYTES: usize = 256 * 1024;

impl Connector for LocalSettings {
    fn open(&self) -> LinkFuture<'_, Result<Box<dyn Link>, Failure>> {
        Box::pin(async {
            let opened = timeout(self.connect_timeout, LocalLink::open(self)).await;
            let link = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let link = link.map_err(|error| self.failed(&error))?;
            Ok(Box::new(link) as Box<dyn Link>)
        })
    }

    fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    fn destination(&self) -> String {
        format!("local\0{}\0", self.path.display())
    }

    fn wording(&self) -> &'static Wording {
        &WORDING
    }
}

impl LocalSettings {
    fn failed(&self, error: &io::Error) -> Failure {
        let text = format!("{}: {error}", self.address());
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData => Failure::Refused(text),
            _ => Failure::Unreachable(text),
        }
    }
}

struct LocalLink {
    frames: UnboundedSender<Outgoing>,
    shared: Arc<Shared>,
    events: UnboundedReceiver<LinkEvent>,
    work: JoinHandle<()>,
    /// Messages were sent since the last flush.
    has_news: AtomicBool,
}

/// A frame, or what it begins with and the body that follows.
struct Outgoing {
    head: Vec<u8>,
    body: Option<Arc<Vec<u8>>>,
}

/// What the link and its task share.
#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// For each message that is not stored, in order; dropped when the link breaks.
    answers: VecDeque<oneshot::Sender<()>>,
    /// Messages that are stored.
    stored: u64,
    failure: Option<Failure>,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That many messages are stored, from the first on.
    fn stored(&self, messages: u64) {
        let mut inner = self.inner();
        while inner.stored < messages
            && let Some(answer) = inner.answers.pop_front()
        {
            inner.stored += 1;
            let _ = answer.send(());
        }
    }

    fn fail(&self, failure: Failure) {
        let mut inner = self.inner();
        inner.failure.get_or_insert(failure);
        inner.answers.clear();
    }

    fn failure(&self) -> Failure {
        let failure = self.inner().failure.clone();
        failure.unwrap_or_else(|| Failure::Lost("connection closed".into()))
    }
}

impl LocalLink {
    async fn open(settings: &LocalSettings) -> io::Result<Self> {
        let opening = opening();
        let socket = UnixSocket::new_stream()?;
        let unshared = Unshared::new(&socket);
        drop(opening);
        let (reader, mut writer) = socket.connect(&settings.path).await?.into_split();
        let mut reader = BufReader::new(reader);
        let mut hello = Vec::new();
        frame::write_hello(&mut hello);
        writer.write_all(&hello).await?;
        let welcome = read_frame(&mut reader).await?;
        match frame::read_reply(&welcome).map_err(invalid)? {
            Reply::Welcome { .. } => {}
            Reply::Refused(reason) => return Err(invalid(reason)),
            _ => return Err(invalid("no welcome")),
        }
        let shared = Arc::new(Shared::default());
        let (frames, outgoing) = unbounded_channel();
        let (sender, events) = unbounded_channel();
        let working = work(reader, writer, outgoing, Arc::clone(&shared), sender);
        let work = tokio::spawn(async move {
            working.await;
            drop(unshared);
        });
        Ok(Self { frames, shared, events, work, has_news: AtomicBool::new(false) })
    }
}

impl Drop for LocalLink {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Link for LocalLink {
    fn publish(
        &self,
        envelope: &Envelope,
        settled: Option<u64>,
        body: Arc<Vec<u8>>,
    ) -> LinkFuture<'static, Answer> {
        if body.len() + HEAD_BYTES > frame::MOST_BYTES {
            let failure = Failure::Refused(format!("a message of {} bytes", body.len()));
            let outcome = Outcome::Broken { failure, blames_message: true };
            return Box::pin(async { Answer { outcome, returned: None } });
        }
        let mut head = Vec::with_capacity(256);
        let message = LocalMessage {
            number: number_of_id(&envelope.worker, &envelope.id),
            settled: settled.unwrap_or(0),
            worker: &envelope.worker,
            metric: &envelope.metric,
            job: &envelope.routing_key,
            body: &body,
        };
        frame::write_message_head(&message, &mut head);
        let (answer, stored) = oneshot::channel();
        // Together, so that answers are in the order of messages.
        let mut inner = self.shared.inner();
        if inner.failure.is_none() {
            inner.answers.push_back(answer);
            let _ = self.frames.send(Outgoing { head, body: Some(body) });
        }
        drop(inner);
        self.has_news.store(true, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let outcome = match stored.await {
                Ok(()) => Outcome::Confirmed,
                Err(_) => Outcome::Broken { failure: shared.failure(), blames_message: false },
            };
            Answer { outcome, returned: None }
        })
    }

    fn flush(&self) {
        if self.has_news.swap(false, Ordering::Relaxed) {
            let mut head = Vec::new();
            frame::write_flush(&mut head);
            let _ = self.frames.send(Outgoing { head, body: None });
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<LinkEvent> {
        let lost = || LinkEvent::Lost(self.shared.failure());
        self.events.poll_recv(context).map(|event| event.unwrap_or_else(lost))
    }

    fn failure(&self) -> Option<Failure> {
        self.shared.inner().failure.clone()
    }

    fn close(self: Box<Self>, _timeout: Duration) -> LinkFuture<'static, ()> {
        // Dropping ends the task, and with it the connection.
        Box::pin(async {})
    }
}

/// Writes frames and reads replies until the connection breaks.
async fn work(
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    outgoing: UnboundedReceiver<Outgoing>,
    shared: Arc<Shared>,
    events: UnboundedSender<LinkEvent>,
) {
    let result = tokio::select! {
        result = read(reader, &shared) => result,
        result = write(writer, outgoing) => result,
    };
    let failure = match result {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Failure::Refused(error.to_string())
        }
        Err(error) => Failure::Lost(error.to_string()),
        Ok(()) => Failure::Lost("the collector has closed the connection".into()),
    };
    shared.fail(failure.clone());
    let _ = events.send(LinkEvent::Lost(failure));
}

async fn read(mut reader: BufReader<OwnedReadHalf>, shared: &Shared) -> io::Result<()> {
    loop {
        let frame = match read_frame(&mut reader).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            frame => frame?,
        };
        match frame::read_reply(&frame).map_err(invalid)? {
            Reply::Stored(messages) => shared.stored(messages),
            Reply::Refused(reason) => return Err(invalid(reason)),
            Reply::Welcome { .. } | Reply::Unknown => {}
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut outgoing: UnboundedReceiver<Outgoing>,
) -> io::Result<()> {
    while let Some(Outgoing { head, body }) = outgoing.recv().await {
        writer.write_all(&head).await?;
        if let Some(body) = body {
            writer.write_all(&body).await?;
        }
    }
    Ok(())
}

/// A frame without its length. Those of receivers are short.
async fn read_frame(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Vec<u8>> {
    const MOST_BYTES: usize = 64 * 1024;
    let mut length = [0; frame::LENGTH_BYTES];
    reader.read_exact(&mut length).await?;
    let length = frame::length(length).map_err(invalid)?;
    if length > MOST_BYTES {
        return Err(invalid("a reply is too long"));
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await?;
    Ok(frame)
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
