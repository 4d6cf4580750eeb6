//! Who may read numbers.
//!
//! On the loopback interface every program of the machine may, unless there is a token. That
//! includes browsers, and therefore pages of strangers: one that makes its own name lead to
//! 127.0.0.1 (DNS rebinding) would be let in by the browser. It sends its name as `Host`, which tells
//! it apart.

use std::net::{IpAddr, SocketAddr};

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};

use crate::serve::answer::{Answer, add, text};
use crate::serve::token::Token;

const STRANGE_HOST: &str = "this port is asked by the name of another machine; ask for localhost or \
    an address, have a proxy send its own Host, or ask for a token";

/// What a connection may read.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) token: Option<&'a Token>,
    /// Where the connection came in.
    pub(crate) local: Option<SocketAddr>,
}

impl Access<'_> {
    /// The answer to a request that may not read; `None` if it may.
    pub(crate) fn refusal(self, headers: &HeaderMap) -> Option<Answer> {
        if let Some(token) = self.token {
            let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
            return (!token.is_in(given)).then(|| {
                let mut answer = text(StatusCode::UNAUTHORIZED, "a token is needed");
                add(answer.headers_mut(), "www-authenticate", "Bearer");
                answer
            });
        }
        let is_loopback = self.local.is_some_and(|local| local.ip().to_canonical().is_loopback());
        let host = headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
        let is_strange = is_loopback && host.is_some_and(|host| !is_of_this_machine(host));
        is_strange.then(|| text(StatusCode::FORBIDDEN, STRANGE_HOST))
    }
}

/// True for an address or a name of the loopback interface, with or without a port. Addresses
/// of others cannot be made to lead here.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_of_this_machine;

    #[test]
    fn names_and_addresses() {
        for host in [
            "localhost",
            "LocalHost:9464",
            "shop.localhost:1",
            "127.0.0.1:9464",
            "127.0.0.1",
            "[::1]:9464",
            "[::1]",
            "10.0.0.1:80",
            "localhost.",
        ] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "a:b:c",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
