//! How messages are written into a file: a head, and entries behind each other, which are only
//! ever appended.
//!
//! An entry is a piece of a message, since messages grow while they wait, or says that a message
//! is gone. Each piece has the envelope of its message and whole records only: whatever else of
//! the file is damaged, it can be sent by itself. The head says how many records are in the file,
//! so that none is lost without a word.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::disk::checksum::checksum;
use crate::link::envelope::Envelope;

pub(crate) const HEAD_BYTES: usize = 64;
pub(crate) const ENTRY_HEAD_BYTES: usize = 36;
/// Pieces of more bytes hold a single record.
pub(crate) const PIECE_BYTES: usize = 32 * 1024;

const MAGIC: &[u8; 16] = b"phanos spool 1\n\0";
/// Begins an entry. Not UTF-8, so nothing that users record looks like it.
pub(crate) const MARK: [u8; 4] = [0xf5, b'p', b's', 0xfa];
/// Instead of the length of an envelope: the message is gone.
const GONE: u32 = u32::MAX;

/// The head of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the file when this was written.
    pub(crate) length: u64,
    /// Records in it that were neither confirmed nor dropped.
    pub(crate) records: u64,
}

/// A piece that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) records: u32,
    /// Records with commas between them. The first piece of a message begins with a bracket,
    /// others with a comma; the closing bracket is in none.
    pub(crate) bytes: Vec<u8>,
}

/// The head of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHead {
    /// Number of the message.
    pub(crate) number: u64,
    /// Number of the piece in its message.
    pub(crate) piece: u32,
    pub(crate) records: u32,
    /// Bytes behind the head.
    pub(crate) length: u32,
    /// Bytes of them that are the envelope; [`GONE`] if the message is.
    envelope: u32,
    sum: u32,
}

impl Head {
    pub(crate) fn write(self) -> [u8; HEAD_BYTES] {
        let mut out = [0; HEAD_BYTES];
        out[..16].copy_from_slice(MAGIC);
        out[16..24].copy_from_slice(&self.length.to_le_bytes());
        out[24..32].copy_from_slice(&self.records.to_le_bytes());
        let sum = checksum(&out[..32]);
        out[32..36].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// `None` if the head is damaged.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let intact = bytes.len() >= HEAD_BYTES
            && &bytes[..16] == MAGIC
            && checksum(&bytes[..32]) == u32_at(bytes, 32)?;
        intact.then_some(Self { length: u64_at(bytes, 16)?, records: u64_at(bytes, 24)? })
    }
}

impl EntryHead {
    /// True if the entry says that its message is gone.
    pub(crate) fn is_removal(&self) -> bool {
        self.envelope == GONE
    }

    /// Bytes of the whole entry.
    pub(crate) fn size(&self) -> u64 {
        ENTRY_HEAD_BYTES as u64 + u64::from(self.length)
    }

    /// `None` if there is no entry, or its head is damaged.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let intact = bytes.len() >= ENTRY_HEAD_BYTES
            && bytes[..4] == MARK
            && checksum(&bytes[8..ENTRY_HEAD_BYTES]) == u32_at(bytes, 4)?;
        if !intact {
            return None;
        }
        Some(Self {
            sum: u32_at(bytes, 8)?,
            length: u32_at(bytes, 12)?,
            envelope: u32_at(bytes, 16)?,
            number: u64_at(bytes, 20)?,
            piece: u32_at(bytes, 28)?,
            records: u32_at(bytes, 32)?,
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&[0; 4]);
        for field in [self.sum, self.length, self.envelope] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.number.to_le_bytes());
        for field in [self.piece, self.records] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let sum = checksum(&out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    }

    /// Envelope and bytes of a piece, from what follows its head; `None` if that is damaged.
    pub(crate) fn piece<'a>(&self, payload: &'a [u8]) -> Option<(Envelope, &'a [u8])> {
        if self.is_removal() || checksum(payload) != self.sum {
            return None;
        }
        let (envelope, bytes) = payload.split_at_checked(self.envelope as usize)?;
        let fields: Vec<Value> = serde_json::from_slice(envelope).ok()?;
        let text = |index: usize| Some(fields.get(index)?.as_str()?.into());
        let envelope = Envelope {
            id: text(0)?,
            routing_key: text(1)?,
            metric: text(2)?,
            worker: text(3)?,
            records: self.records,
        };
        Some((envelope, bytes))
    }
}

/// Appends an entry with a piece to `out`.
pub(crate) fn write_piece(out: &mut Vec<u8>, number: u64, place: u32, piece: &Piece) {
    let mut payload = envelope_text(&piece.envelope).into_bytes();
    let envelope = payload.len();
    payload.extend_from_slice(&piece.bytes);
    let head = EntryHead {
        number,
        piece: place,
        records: piece.records,
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        envelope: u32::try_from(envelope).unwrap_or(u32::MAX),
        sum: checksum(&payload),
    };
    head.write(out);
    out.extend_from_slice(&payload);
}

/// Appends an entry to `out` that says that a message is gone.
pub(crate) fn write_removal(out: &mut Vec<u8>, number: u64) {
    EntryHead { number, piece: 0, records: 0, length: 0, envelope: GONE, sum: checksum(&[]) }
        .write(out);
}

/// Bytes that an entry with this piece takes.
pub(crate) fn entry_bytes(piece: &Piece) -> u64 {
    (ENTRY_HEAD_BYTES + envelope_text(&piece.envelope).len() + piece.bytes.len()) as u64
}

fn envelope_text(envelope: &Envelope) -> String {
    json!([envelope.id, envelope.routing_key, envelope.metric, envelope.worker]).to_string()
}

/// Splits bytes of a body, from one bracket or comma to the end of a record, before commas between
/// records: into parts of up to [`PIECE_BYTES`] or one record, with the number of their records.
pub(crate) fn split_records(bytes: &[u8]) -> Vec<(&[u8], u32)> {
    let mut parts = Vec::new();
    let (mut start, mut last, mut records) = (0, 0, 0);
    for comma in commas(bytes).chain([bytes.len()]) {
        // One more record ends here.
        if comma - start > PIECE_BYTES && last > start {
            parts.push((&bytes[start..last], records));
            (start, records) = (last, 0);
        }
        records += 1;
        last = comma;
    }
    if last > start {
        parts.push((&bytes[start..last], records));
    }
    parts
}

/// Where the commas between records are; the one that `bytes` may begin with is left out.
fn commas(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    bytes.iter().enumerate().skip(1).filter_map(move |(place, byte)| {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return Some(place),
            _ => {}
        }
        None
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
