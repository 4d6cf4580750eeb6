//! Errors of AMQP and TLS in words that a user can act on. No text contains a password.

use std::io;
use std::time::Duration;

use lapin::ErrorKind;

use crate::amqp::settings::AmqpSettings;
use crate::link::failure::Failure;

/// The failure to get through a step of connecting in time.
pub(super) fn timed_out(what: &str, settings: &AmqpSettings, after: Duration) -> Failure {
    Failure::Unreachable(format!("{}: {what} took longer than {after:?}", settings.broker()))
}

/// The failure of a TLS handshake.
pub(super) fn of_tls(error: &io::Error, settings: &AmqpSettings) -> Failure {
    // Errors of the network have other kinds than those of rustls.
    if !is_of_tls(error) {
        return Failure::Unreachable(format!("{}: TLS: {error}", settings.broker()));
    }
    let text = error.to_string();
    let hint = if text.contains("InvalidContentType") {
        "the other side does not speak TLS: "
    } else {
        ""
    };
    Failure::Refused(format!("{}: TLS: {hint}{text}", settings.broker()))
}

/// The failure of an AMQP handshake or a declaration.
pub(super) fn of_opening(error: &lapin::Error, settings: &AmqpSettings) -> Failure {
    let protocol_error = match error.kind() {
        ErrorKind::ProtocolError(error) => error,
        // Clients learn only after the handshake that their certificate is refused.
        ErrorKind::IOError(error) if is_of_tls(error) => return of_tls(error, settings),
        // The alert in which the broker says why may be lost when it closes the connection.
        ErrorKind::IOError(error) if settings.tls.is_some() => {
            return Failure::Unreachable(format!(
                "{}: after the TLS handshake (does the broker ask for another client \
                 certificate?): {error}",
                settings.broker()
            ));
        }
        _ => return Failure::Unreachable(format!("{}: {}", settings.broker(), plain(error))),
    };
    let (code, text) = (protocol_error.get_id(), protocol_error.get_message().as_str());
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
    Failure::Refused(format!("{}: {hint}{code} {text}", settings.broker()))
}

/// The failure of a connection that worked.
pub(super) fn of_use(error: &lapin::Error) -> Failure {
    Failure::Lost(plain(error))
}

fn is_of_tls(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// True if the broker closed a channel or connection over a message that it was sent, and not over
/// its own state: an exchange that is gone or a permission that was withdrawn may come back.
pub(super) fn blames_message(error: &lapin::Error) -> bool {
    const CONTENT_TOO_LARGE: u16 = 311;
    const PRECONDITION_FAILED: u16 = 406;
    const FRAME_ERROR: u16 = 501;
    const SYNTAX_ERROR: u16 = 502;
    const UNEXPECTED_FRAME: u16 = 505;
    const BLAMING: [u16; 5] =
        [CONTENT_TOO_LARGE, PRECONDITION_FAILED, FRAME_ERROR, SYNTAX_ERROR, UNEXPECTED_FRAME];
    matches!(error.kind(), ErrorKind::ProtocolError(error) if BLAMING.contains(&error.get_id()))
}

/// The error without lapin's inner terms.
fn plain(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ProtocolError(error) => format!("{} {}", error.get_id(), error.get_message()),
        ErrorKind::MissingHeartbeatError => "no heartbeat from the broker".into(),
        ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => {
            "connection closed".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};

    use super::*;

    fn protocol_error(error: AMQPError) -> lapin::Error {
        ErrorKind::ProtocolError(error).into()
    }

    #[test]
    fn only_what_is_wrong_with_a_message_is_blamed_on_it() {
        let text = || "text".into();
        for soft in [AMQPSoftError::CONTENTTOOLARGE, AMQPSoftError::PRECONDITIONFAILED] {
            assert!(blames_message(&protocol_error(AMQPError::new(soft.into(), text()))));
        }
        for soft in [AMQPSoftError::NOTFOUND, AMQPSoftError::ACCESSREFUSED] {
            assert!(!blames_message(&protocol_error(AMQPError::new(soft.into(), text()))));
        }
        let forced = AMQPError::new(AMQPHardError::CONNECTIONFORCED.into(), text());
        assert!(!blames_message(&protocol_error(forced)));
        assert!(!blames_message(&ErrorKind::MissingHeartbeatError.into()));
    }
}
