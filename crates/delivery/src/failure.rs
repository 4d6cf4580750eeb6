//! What can go wrong with a broker, in words a user can act on. No password is in any.

use std::fmt;
use std::io;
use std::time::Duration;

use lapin::ErrorKind;

use super::settings::Settings;

/// Why there is no connection, or no longer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answers there, or the answer does not come.
    Unreachable(String),
    /// The broker answers and says no; trying again changes nothing until somebody changes it.
    Refused(String),
    /// The connection was fine and is gone.
    Lost(String),
}

impl Failure {
    pub(super) fn timed_out(what: &str, settings: &Settings, after: Duration) -> Self {
        Self::Unreachable(format!("{}: {what} took longer than {after:?}", settings.target()))
    }

    /// What a TLS handshake failed with.
    pub(super) fn of_tls(error: &io::Error, settings: &Settings) -> Self {
        // rustls speaks of what it got; of what the network did, the error's kind.
        if !is_of_tls(error) {
            return Self::Unreachable(format!("{}: TLS: {error}", settings.target()));
        }
        let said = error.to_string();
        let hint = if said.contains("InvalidContentType") {
            "the other side does not speak TLS: "
        } else {
            ""
        };
        Self::Refused(format!("{}: TLS: {hint}{said}", settings.target()))
    }

    /// What a handshake or a declaration failed with.
    pub(super) fn of_opening(error: &lapin::Error, settings: &Settings) -> Self {
        let said = match error.kind() {
            ErrorKind::ProtocolError(said) => said,
            // Clients learn only after the handshake that their certificate is refused.
            ErrorKind::IOError(error) if is_of_tls(error) => return Self::of_tls(error, settings),
            // What the broker said of it may be lost when it hangs up.
            ErrorKind::IOError(error) if settings.tls.is_some() => {
                return Self::Unreachable(format!(
                    "{}: after the TLS handshake (does the broker ask for another client \
                     certificate?): {error}",
                    settings.target()
                ));
            }
            _ => return Self::Unreachable(format!("{}: {}", settings.target(), plain(error))),
        };
        let (code, text) = (said.get_id(), said.get_message().as_str());
        let hint = match code {
            403 => format!("user {:?} was refused: ", settings.user),
            402 | 530 => format!("virtual host {:?} was refused: ", settings.virtual_host),
            406 => format!(
                "exchange {:?} exists with other properties than type {:?}, not durable, not \
                 auto-delete: ",
                settings.exchange, settings.exchange_type
            ),
            503 => format!("exchange type {:?} was refused: ", settings.exchange_type),
            _ => String::new(),
        };
        Self::Refused(format!("{}: {hint}{code} {text}", settings.target()))
    }

    /// What a connection that was fine failed with.
    pub(super) fn of_use(error: &lapin::Error) -> Self {
        Self::Lost(plain(error))
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// True if the broker ended a channel or connection over what it was sent, and not over how
/// things stand at its side: an exchange that is gone or a right that was withdrawn comes back.
pub(super) fn blames_message(error: &lapin::Error) -> bool {
    const CONTENT_TOO_LARGE: u16 = 311;
    const PRECONDITION_FAILED: u16 = 406;
    const FRAME_ERROR: u16 = 501;
    const SYNTAX_ERROR: u16 = 502;
    const UNEXPECTED_FRAME: u16 = 505;
    const BLAMING: [u16; 5] =
        [CONTENT_TOO_LARGE, PRECONDITION_FAILED, FRAME_ERROR, SYNTAX_ERROR, UNEXPECTED_FRAME];
    matches!(error.kind(), ErrorKind::ProtocolError(said) if BLAMING.contains(&said.get_id()))
}

/// The error in words that are not the library's inner ones.
fn plain(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ProtocolError(said) => format!("{} {}", said.get_id(), said.get_message()),
        ErrorKind::MissingHeartbeatError => "no heartbeat from the broker".into(),
        ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => {
            "connection closed".into()
        }
        _ => error.to_string(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(text) | Self::Refused(text) | Self::Lost(text)) = self;
        formatter.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};

    use super::*;

    fn said(error: AMQPError) -> lapin::Error {
        ErrorKind::ProtocolError(error).into()
    }

    #[test]
    fn only_what_is_wrong_with_a_message_is_blamed_on_it() {
        let text = || "text".into();
        for soft in [AMQPSoftError::CONTENTTOOLARGE, AMQPSoftError::PRECONDITIONFAILED] {
            assert!(blames_message(&said(AMQPError::new(soft.into(), text()))));
        }
        for soft in [AMQPSoftError::NOTFOUND, AMQPSoftError::ACCESSREFUSED] {
            assert!(!blames_message(&said(AMQPError::new(soft.into(), text()))));
        }
        let forced = AMQPError::new(AMQPHardError::CONNECTIONFORCED.into(), text());
        assert!(!blames_message(&said(forced)));
        assert!(!blames_message(&ErrorKind::MissingHeartbeatError.into()));
    }
}
