//! The token that clients may have to send.

use std::fmt;

/// What a client has to send as `Authorization: Bearer ...`. No form of printing shows it.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl Token {
    /// # Errors
    /// The text is empty, or could not be sent in a header.
    pub fn new(text: &str) -> Result<Self, String> {
        let fits = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || !fits {
            return Err("a token is one or more visible ASCII characters without spaces".into());
        }
        Ok(Self(text.as_bytes().into()))
    }

    /// The header line that sends it.
    pub(crate) fn header(&self) -> String {
        format!("Authorization: Bearer {}\r\n", String::from_utf8_lossy(&self.0))
    }

    /// True if the header holds this token. Takes as long for any other token of its length.
    pub(crate) fn is_in(&self, authorization: &[u8]) -> bool {
        let (scheme, given) = authorization.split_at_checked(7).unwrap_or_default();
        let differences = self.0.iter().zip(given).fold(0, |all, (one, other)| all | (one ^ other));
        scheme.eq_ignore_ascii_case(b"Bearer ") && given.len() == self.0.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
