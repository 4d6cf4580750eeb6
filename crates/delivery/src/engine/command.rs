//! What callers ask of the engine.

use flume::Sender;

use crate::link::envelope::Envelope;
use crate::messages::confirm_waiter::ConfirmWaiter;

pub(crate) enum Command {
    /// Send this message, and reply whether it was confirmed.
    Publish { envelope: Envelope, body: Vec<u8>, waiter: ConfirmWaiter },
    /// Reply true when every record handed over so far is confirmed or dropped, and false if
    /// records wait for consumers to come back, which may take for ever.
    Flush { reply: Sender<bool> },
    /// Reply true when a link is up, and false when the attempt to open one fails.
    Connect { reply: Sender<bool> },
    /// End; records that are left go to the spool or are dropped. Reply true if none had to be
    /// dropped.
    Stop { reply: Sender<bool> },
}

/// A caller waiting for a flush.
pub(super) struct FlushWaiter {
    /// Records of the buffer before this number are waited for.
    pub(super) record_number: u64,
    /// So are messages up to this one, which need not come from the buffer.
    pub(super) sequence: u64,
    pub(super) reply: Sender<bool>,
}
