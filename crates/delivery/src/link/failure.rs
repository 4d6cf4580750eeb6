//! Why there is no link, or no longer one, in words that a user can act on. No text contains a
//! password.

use std::fmt;

use crate::report::one_line::one_line;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing answers at the address, or the answer does not come in time.
    Unreachable(String),
    /// The receiver answers and says no; trying again is of no use until its configuration or
    /// the settings change.
    Refused(String),
    /// The link worked and is broken.
    Lost(String),
}

impl Failure {
    /// The same failure with more to say.
    pub(crate) fn with(self, more: &str) -> Self {
        let add = |text: String| format!("{text} ({more})");
        match self {
            Self::Unreachable(text) => Self::Unreachable(add(text)),
            Self::Refused(text) => Self::Refused(add(text)),
            Self::Lost(text) => Self::Lost(add(text)),
        }
    }
}

/// On one line and without control characters: receivers write parts of these texts.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(text) | Self::Refused(text) | Self::Lost(text)) = self;
        formatter.write_str(&one_line(text))
    }
}
