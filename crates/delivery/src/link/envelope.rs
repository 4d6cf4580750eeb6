//! What a receiver gets of a message beside its body.

/// The same when a message is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Unique among all messages: consumers can drop what arrives twice.
    pub id: Box<str>,
    /// The job of the records, by which the receiver may choose consumers.
    pub routing_key: Box<str>,
    /// The metric's name.
    pub metric: Box<str>,
    /// Names the process and handler that recorded.
    pub worker: Box<str>,
    /// Records in the body.
    pub records: u32,
}
