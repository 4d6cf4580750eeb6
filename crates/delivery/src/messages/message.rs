//! One message: a JSON array of records of one metric, as consumers know it.

use std::sync::Arc;
use std::time::Instant;

use crate::link::envelope::Envelope;
use crate::messages::confirm_waiter::ConfirmWaiter;

/// Where the body is.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Memory(Arc<Vec<u8>>),
    /// In the spool only.
    Spool {
        bytes: usize,
    },
}

/// What the spool has of a message. The spool gets a message in pieces, as the message grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spooled {
    /// Number of the spool file.
    pub(crate) file: u32,
    /// Number of the message in that file.
    pub(crate) number: u64,
    /// Pieces that the spool was given, and how many of them are on disk.
    pub(crate) pieces: u32,
    pub(crate) written: u32,
    /// Records in the pieces that are on disk.
    pub(crate) written_records: u32,
    /// Bytes and records in all these pieces.
    pub(crate) bytes: usize,
    pub(crate) records: u32,
    /// How many of the records the statistics count as spooled.
    pub(crate) counted: u32,
    /// Bytes of the file that all this takes.
    pub(crate) file_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Message {
    /// The place in the order of sending.
    pub(crate) sequence: u64,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) body: Body,
    /// Number of its first record among all records of the buffer, by which flushes wait for it;
    /// `None` for a message that did not come from the buffer.
    pub(crate) record_number: Option<u64>,
    /// When its oldest record came.
    pub(crate) since: Instant,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// How often the receiver broke the link over this message alone.
    pub(crate) blames: u32,
    /// The newest message of its metric, to which records are added until it is sent.
    pub(crate) open: bool,
    /// Set as soon as the spool was given any of it.
    pub(crate) spooled: Option<Spooled>,
    /// The caller that waits for this very message.
    pub(crate) waiter: Option<ConfirmWaiter>,
}

impl Message {
    pub(crate) fn records(&self) -> u64 {
        u64::from(self.envelope.records)
    }

    /// True if all of it is on disk.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.spooled.is_some_and(|spooled| {
            // The closing bracket is not written.
            spooled.written == spooled.pieces && spooled.bytes + 1 == self.body_bytes()
        })
    }

    /// Bytes of the body, wherever it is.
    pub(crate) fn body_bytes(&self) -> usize {
        match &self.body {
            Body::Memory(body) => body.len(),
            Body::Spool { bytes } => *bytes,
        }
    }

    /// Bytes of the body in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.body {
            Body::Memory(body) => body.len(),
            Body::Spool { .. } => 0,
        }
    }
}
