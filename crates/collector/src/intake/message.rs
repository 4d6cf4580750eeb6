//! A message: who sent it, which one it is, its body.

/// A message as it came, whatever it came over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// Names the process and handler that recorded; empty if unknown, as with phanos 0.3.2.
    pub worker: &'a str,
    /// Which of its worker's messages this is; the same when a message is sent again. `None`: it
    /// cannot be known whether the message came before.
    pub number: Option<u64>,
    /// The worker will send no message with a lower number than this one any more.
    pub settled: Option<u64>,
    /// The metric's name; empty if unknown.
    pub metric: &'a str,
    /// The job by which the message was routed, for log lines; the records name their own.
    pub job: &'a str,
    /// A JSON array of records.
    pub body: &'a [u8],
}
