//! Errors of AMQP and TLS in words that a user can act on. No text contains a password.

use std::io;
use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::AMQPError;

use crate::amqp::settings::AmqpSettings;
use crate::link::failure::Failure;
use crate::process::thread::refused;

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
        ErrorKind::ProtocolError(error) if is_of_broker(error) => error,
        // lapin asks for a thread, and for nothing else that a system says this to.
        ErrorKind::IOError(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Failure::Unreachable(format!("{}: {}", settings.broker(), refused(error)));
        }
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
        402 | 530 if text.contains("limit") => format!(
            "a limit that the broker has for user {:?} or virtual host {:?} is reached: ",
            settings.user, settings.virtual_host
        ),
        402 | 530 if text.contains("vhost") => {
            format!("virtual host {:?} was refused: ", settings.virtual_host)
        }
        // RabbitMQ 4.3 says 406 of a type, those before 503.
        406 | 503 if text.contains("exchange type") => {
            format!("exchange type {:?} was refused: ", settings.exchange_type)
        }
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
    matches!(
        error.kind(),
        ErrorKind::ProtocolError(error) if BLAMING.contains(&error.get_id()) && is_of_broker(error)
    )
}

/// False for errors that lapin made itself over a frame that it does not understand, with codes
/// that brokers use as well. Brokers begin their texts with the name of the code, as in
/// `PRECONDITION_FAILED - unknown delivery tag 80`.
fn is_of_broker(error: &AMQPError) -> bool {
    let text = error.get_message().as_str();
    let name = text.split_once(" - ").map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '-'))
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
    use lapin::protocol::{AMQPHardError, AMQPSoftError};

    use super::*;
    use crate::amqp::settings::{Secret, TcpOptions};

    fn protocol_error(error: AMQPError) -> lapin::Error {
        ErrorKind::ProtocolError(error).into()
    }

    fn soft(error: AMQPSoftError, text: &str) -> lapin::Error {
        protocol_error(AMQPError::new(error.into(), text.into()))
    }

    fn hard(error: AMQPHardError, text: &str) -> lapin::Error {
        protocol_error(AMQPError::new(error.into(), text.into()))
    }

    #[test]
    fn only_what_is_wrong_with_a_message_is_blamed_on_it() {
        assert!(blames_message(&soft(
            AMQPSoftError::PRECONDITIONFAILED,
            "PRECONDITION_FAILED - x"
        )));
        assert!(blames_message(&soft(AMQPSoftError::CONTENTTOOLARGE, "CONTENT_TOO_LARGE - x")));
        assert!(!blames_message(&soft(AMQPSoftError::NOTFOUND, "NOT_FOUND - no exchange 'x'")));
        assert!(!blames_message(&soft(AMQPSoftError::ACCESSREFUSED, "ACCESS_REFUSED - x")));
        let forced = "CONNECTION_FORCED - broker forced connection closure";
        assert!(!blames_message(&hard(AMQPHardError::CONNECTIONFORCED, forced)));
        assert!(!blames_message(&ErrorKind::MissingHeartbeatError.into()));
    }

    #[test]
    fn errors_of_lapin_over_a_bad_frame_are_not_blamed_on_messages() {
        let ack = "invalid ack received for inexistant delivery_tag 7 on channel 1, current is 3";
        assert!(!blames_message(&soft(AMQPSoftError::PRECONDITIONFAILED, ack)));
        let header = "unexpected content header frame received on channel 1";
        assert!(!blames_message(&hard(AMQPHardError::UNEXPECTEDFRAME, header)));
        assert!(!blames_message(&hard(AMQPHardError::FRAMEERROR, "invalid frame - 1")));
    }

    #[test]
    fn limits_are_told_from_virtual_hosts() {
        let told = |text: &str| of_opening(&hard(AMQPHardError::NOTALLOWED, text), &settings());
        let limits = [
            "NOT_ALLOWED - number of channels opened for user 'a' has reached the maximum allowed \
             user limit of (0)",
            "NOT_ALLOWED - connection refused for user 'a': user connection limit (0) is reached",
            "NOT_ALLOWED - access to vhost '/' refused for user 'a': connection limit (0) is reached",
        ];
        for text in limits {
            let failure = told(text).to_string();
            assert!(failure.contains("a limit that the broker has for user \"a\""), "{failure}");
            assert!(!failure.contains("was refused:"), "{failure}");
        }
        let failure = told("NOT_ALLOWED - vhost / not found").to_string();
        assert!(failure.contains("virtual host \"/\" was refused: 530"), "{failure}");
    }

    fn settings() -> AmqpSettings {
        AmqpSettings {
            host: "broker".into(),
            port: 5672,
            others: Vec::new(),
            user: "a".into(),
            password: Secret::new("secret".into()),
            virtual_host: "/".into(),
            exchange: "profiling".into(),
            exchange_type: "fanout".into(),
            heartbeat_s: Some(47),
            socket_timeout: Duration::from_secs(10),
            stack_timeout: Duration::from_secs(15),
            channel_max: None,
            frame_max: None,
            locale: "en_US".into(),
            client_properties: Vec::new(),
            tcp: TcpOptions::default(),
            tls: None,
        }
    }
}
