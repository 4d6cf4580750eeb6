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

/// The number in a message's id, which is its worker's name, `-` and the number. The numbers of a
/// worker grow from message to message; `None` if the id is of another form.
pub fn number_of_id(worker: &str, id: &str) -> Option<u64> {
    let digits = id.strip_prefix(worker)?.strip_prefix('-')?;
    // `parse` would take a sign as well.
    let is_number = !worker.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}
