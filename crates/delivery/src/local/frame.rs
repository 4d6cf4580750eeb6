//! Frames: what senders and a receiver on one machine say to each other over a Unix socket.
//!
//! A frame is a length (4 bytes), a kind (1 byte) and a payload; the length counts kind and
//! payload. Numbers are little-endian. A text has its length before it (2 bytes).
//!
//! | kind | from | payload |
//! |---|---|---|
//! | 1 hello | sender | `phanos`, version (2 bytes); the first frame |
//! | 2 message | sender | number (8; 0: none), number below which none will follow (8), worker, metric, job, then the body |
//! | 3 flush | sender | nothing; asks for what was sent so far to be stored now |
//! | 4 welcome | receiver | version (2 bytes); the first frame |
//! | 5 stored | receiver | how many messages of this connection are stored, from the first on (8) |
//! | 6 refused | receiver | why, in UTF-8; the connection ends |
//!
//! Receivers leave out kinds that they do not know, and bytes that follow what they know.

use std::fmt;

/// The version that this describes.
pub const VERSION: u16 = 1;
/// Bytes of a frame at most. A message is some 256 KiB; a single record may be larger.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a frame's length.
pub const LENGTH_BYTES: usize = 4;

const MAGIC: &[u8] = b"phanos";

const HELLO: u8 = 1;
const MESSAGE: u8 = 2;
const FLUSH: u8 = 3;
const WELCOME: u8 = 4;
const STORED: u8 = 5;
const REFUSED: u8 = 6;

/// A message on its way to a receiver on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalMessage<'a> {
    pub number: Option<u64>,
    pub settled: u64,
    pub worker: &'a str,
    pub metric: &'a str,
    pub job: &'a str,
    /// A JSON array of records.
    pub body: &'a [u8],
}

/// What a sender says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    Hello {
        version: u16,
    },
    Message(LocalMessage<'a>),
    Flush,
    /// Of a kind that this version does not know.
    Unknown,
}

/// What a receiver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    Welcome { version: u16 },
    Stored(u64),
    Refused(&'a str),
    Unknown,
}

/// A frame that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame(&'static str);

impl fmt::Display for BadFrame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// How many bytes follow a length.
///
/// # Errors
/// There may not be so many.
pub fn length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, BadFrame> {
    let length = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
    match length {
        0 => Err(BadFrame("a frame has a kind")),
        1..=MOST_BYTES => Ok(length),
        _ => Err(BadFrame("a frame is too long")),
    }
}

/// Reads a frame without its length.
///
/// # Errors
/// The frame is cut off, or is no sender's.
pub fn read_request(frame: &[u8]) -> Result<Request<'_>, BadFrame> {
    let (kind, mut payload) = frame.split_first().ok_or(BadFrame("a frame has a kind"))?;
    Ok(match *kind {
        HELLO => {
            let magic = take(&mut payload, MAGIC.len())?;
            if magic != MAGIC {
                return Err(BadFrame("no sender of phanos"));
            }
            Request::Hello { version: u16::from_le_bytes(fixed(&mut payload)?) }
        }
        MESSAGE => {
            let number = u64::from_le_bytes(fixed(&mut payload)?);
            Request::Message(LocalMessage {
                number: (number > 0).then_some(number),
                settled: u64::from_le_bytes(fixed(&mut payload)?),
                worker: text(&mut payload)?,
                metric: text(&mut payload)?,
                job: text(&mut payload)?,
                body: payload,
            })
        }
        FLUSH => Request::Flush,
        WELCOME..=REFUSED => return Err(BadFrame("a receiver's frame")),
        _ => Request::Unknown,
    })
}

/// Reads a frame without its length.
///
/// # Errors
/// The frame is cut off, or is no receiver's.
pub fn read_reply(frame: &[u8]) -> Result<Reply<'_>, BadFrame> {
    let (kind, mut payload) = frame.split_first().ok_or(BadFrame("a frame has a kind"))?;
    Ok(match *kind {
        WELCOME => Reply::Welcome { version: u16::from_le_bytes(fixed(&mut payload)?) },
        STORED => Reply::Stored(u64::from_le_bytes(fixed(&mut payload)?)),
        REFUSED => Reply::Refused(std::str::from_utf8(payload).unwrap_or("for no readable reason")),
        HELLO..=FLUSH => return Err(BadFrame("a sender's frame")),
        _ => Reply::Unknown,
    })
}

fn take<'a>(payload: &mut &'a [u8], length: usize) -> Result<&'a [u8], BadFrame> {
    let (taken, rest) = payload.split_at_checked(length).ok_or(BadFrame("a frame is cut off"))?;
    *payload = rest;
    Ok(taken)
}

fn fixed<const LENGTH: usize>(payload: &mut &[u8]) -> Result<[u8; LENGTH], BadFrame> {
    let bytes = take(payload, LENGTH)?;
    bytes.try_into().map_err(|_| BadFrame("a frame is cut off"))
}

fn text<'a>(payload: &mut &'a [u8]) -> Result<&'a str, BadFrame> {
    let length = u16::from_le_bytes(fixed(payload)?);
    let bytes = take(payload, length.into())?;
    std::str::from_utf8(bytes).map_err(|_| BadFrame("a text is no UTF-8"))
}

/// Appends a frame without a body: its length, its kind and what `write` appends.
fn write_frame(kind: u8, body_bytes: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.push(kind);
    write(out);
    let length = out.len() - start - LENGTH_BYTES + body_bytes;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Appends the frame of a message up to its body, which is sent as it is after that.
pub fn write_message_head(message: &LocalMessage<'_>, out: &mut Vec<u8>) {
    write_frame(MESSAGE, message.body.len(), out, |out| {
        out.extend_from_slice(&message.number.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&message.settled.to_le_bytes());
        for text in [message.worker, message.metric, message.job] {
            write_text(text, out);
        }
    });
}

/// Appends a text, cut where its length would not fit.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(u16::MAX.into());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.extend_from_slice(&u16::try_from(end).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..end]);
}

pub fn write_hello(out: &mut Vec<u8>) {
    write_frame(HELLO, 0, out, |out| {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
    });
}

pub fn write_flush(out: &mut Vec<u8>) {
    write_frame(FLUSH, 0, out, |_| {});
}

pub fn write_welcome(out: &mut Vec<u8>) {
    write_frame(WELCOME, 0, out, |out| out.extend_from_slice(&VERSION.to_le_bytes()));
}

pub fn write_stored(messages: u64, out: &mut Vec<u8>) {
    write_frame(STORED, 0, out, |out| out.extend_from_slice(&messages.to_le_bytes()));
}

pub fn write_refused(reason: &str, out: &mut Vec<u8>) {
    write_frame(REFUSED, 0, out, |out| out.extend_from_slice(reason.as_bytes()));
}
