//! One sender: its messages, and how far they are stored.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use phanos_delivery::frame::{self, Request};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::hub::shared::Hub;
use crate::intake::message::Message;

const READ_BYTES: usize = 64 * 1024;
/// With this many bytes not stored, storing does not wait for its time: a sender has no more than
/// twice as much under way.
const EARLY_BYTES: usize = 2 * 1024 * 1024;
/// The same for messages.
const EARLY_MESSAGES: usize = 128;
/// With this many bytes, no more are read.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The first frame, and any frame that has begun, must be there by then.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that is silent for so long keeps no memory for frames.
const IDLE: Duration = Duration::from_secs(5);

/// Messages that are counted and not known to be stored.
#[derive(Default)]
struct Waiting {
    inner: Mutex<Inner>,
    /// More are waiting.
    added: Notify,
    /// Fewer are waiting.
    removed: Notify,
}

#[derive(Default)]
struct Inner {
    /// Sequence numbers and bytes.
    messages: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Waiting {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if many are waiting.
    fn add(&self, sequence: u64, bytes: usize) -> bool {
        let mut inner = self.inner();
        inner.messages.push_back((sequence, bytes));
        inner.bytes += bytes;
        let are_many = inner.bytes >= EARLY_BYTES || inner.messages.len() >= EARLY_MESSAGES;
        drop(inner);
        self.added.notify_one();
        are_many
    }

    /// Removes messages up to a sequence number; returns how many.
    fn remove(&self, stored: u64) -> u64 {
        let mut inner = self.inner();
        let mut removed = 0;
        while let Some((sequence, bytes)) = inner.messages.front().copied()
            && sequence <= stored
        {
            inner.messages.pop_front();
            inner.bytes -= bytes;
            removed += 1;
        }
        drop(inner);
        self.removed.notify_one();
        removed
    }

    async fn wait_for_room(&self) {
        while self.inner().bytes >= MOST_BYTES {
            self.removed.notified().await;
        }
    }
}

/// Counts what a sender sends, until it ends.
///
/// # Errors
/// The connection broke, or the sender made no sense.
pub(crate) async fn receive(stream: UnixStream, hub: &Hub) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let waiting = Waiting::default();
    let mut welcome = Vec::new();
    frame::write_welcome(&mut welcome);
    writer.write_all(&welcome).await?;
    let result = tokio::select! {
        result = read(reader, hub, &waiting) => result,
        result = tell(&mut writer, hub, &waiting) => result,
    };
    if let Err(error) = &result
        && error.kind() == io::ErrorKind::InvalidData
    {
        let mut refusal = Vec::new();
        frame::write_refused(&error.to_string(), &mut refusal);
        let _ = timeout(FRAME_TIMEOUT, writer.write_all(&refusal)).await;
    }
    result
}

async fn read(reader: OwnedReadHalf, hub: &Hub, waiting: &Waiting) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(READ_BYTES, reader);
    let mut buffer = Vec::new();
    let first = timeout(FRAME_TIMEOUT, read_frame(&mut reader, &mut buffer));
    if !first.await?? {
        return Ok(());
    }
    match frame::read_request(&buffer).map_err(invalid)? {
        Request::Hello { .. } => {}
        _ => return Err(invalid("the first frame is no hello")),
    }
    loop {
        let next = timeout(IDLE, reader.fill_buf()).await;
        let has_ended = if let Ok(bytes) = next {
            bytes?.is_empty()
        } else {
            buffer = Vec::new();
            reader.fill_buf().await?.is_empty()
        };
        if has_ended {
            return Ok(());
        }
        timeout(FRAME_TIMEOUT, read_frame(&mut reader, &mut buffer)).await??;
        match frame::read_request(&buffer).map_err(invalid)? {
            Request::Message(message) => {
                let sequence = hub.take(&Message {
                    worker: message.worker,
                    number: message.number,
                    settled: Some(message.settled),
                    metric: message.metric,
                    job: message.job,
                    body: message.body,
                });
                if waiting.add(sequence, buffer.len()) {
                    hub.store_soon();
                    waiting.wait_for_room().await;
                }
            }
            Request::Flush => hub.store_soon(),
            Request::Hello { .. } | Request::Unknown => {}
        }
    }
}

/// Reads a frame without its length into `buffer`; false at the end of the stream.
async fn read_frame(
    reader: &mut BufReader<OwnedReadHalf>,
    buffer: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut length = [0; frame::LENGTH_BYTES];
    match reader.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    };
    let length = frame::length(length).map_err(invalid)?;
    buffer.clear();
    // Takes memory as bytes come, and not for what was only announced.
    let read = reader.take(length as u64).read_to_end(buffer).await?;
    if read < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(true)
}

/// Tells the sender how many of its messages are stored.
async fn tell(writer: &mut OwnedWriteHalf, hub: &Hub, waiting: &Waiting) -> io::Result<()> {
    let mut out = Vec::new();
    let mut stored = hub.stored();
    let mut messages = 0;
    loop {
        tokio::select! {
            // The hub outlives its connections.
            _ = stored.changed() => {}
            () = waiting.added.notified() => {}
        }
        let removed = waiting.remove(*stored.borrow_and_update());
        if removed > 0 {
            messages += removed;
            out.clear();
            frame::write_stored(messages, &mut out);
            writer.write_all(&out).await?;
        }
    }
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
