//! A collector's answers over HTTP: one request for each connection, nothing else is needed.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::serve::token::Token;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Longer answers are none of a collector.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Where a collector serves.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    host: String,
    port: u16,
    /// What stands before `/api`.
    folder: String,
    token: Option<Token>,
}

impl Client {
    /// Reads `http://host:port/folder`, of which `host` alone is needed.
    ///
    /// # Errors
    /// What was given and what was expected.
    pub(crate) fn new(url: &str, default_port: u16, token: Option<Token>) -> Result<Self, String> {
        let expected = || format!("{url:?} is no address such as http://127.0.0.1:9464");
        let rest = url.strip_prefix("http://").unwrap_or(url);
        if rest.contains("://") {
            return Err(format!("{}: only http:// is spoken", expected()));
        }
        let (authority, folder) = rest.split_once('/').unwrap_or((rest, ""));
        // The colons of an IPv6 address are within brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| expected())?)
            }
            _ => (authority, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !is_plain(host) || !is_plain(folder) {
            return Err(expected());
        }
        let folder = folder.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let folder = if folder.is_empty() { String::new() } else { format!("/{folder}") };
        Ok(Self { host: host.into(), port, folder, token })
    }

    /// The body of an answer.
    ///
    /// # Errors
    /// One line: what is in the way.
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let Self { host, port, .. } = self;
        let failed = |error: std::io::Error| format!("http://{host}:{port}: {error}");
        let mut addresses = (&**host, *port).to_socket_addrs().map_err(failed)?;
        let connected = addresses.find_map(|address| {
            TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| (error, address)).ok()
        });
        let mut stream =
            connected.ok_or_else(|| format!("http://{host}:{port}: no collector answers"))?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(failed)?;
        let token = self.token.as_ref().map(Token::header).unwrap_or_default();
        // Without chunks, and closed at its end.
        let request = format!("GET {}{path} HTTP/1.0\r\nHost: {host}\r\n{token}\r\n", self.folder);
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut answer).map_err(failed)?;
        let end = memchr::memmem::find(&answer, b"\r\n\r\n")
            .ok_or_else(|| format!("http://{host}:{port}: no HTTP"))?;
        let head = String::from_utf8_lossy(&answer[..end]);
        let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = answer.split_off(end + 4);
        match &*status {
            "200" => Ok(body),
            "401" => Err(format!("http://{host}:{port} needs a token: --token-file")),
            "404" => Err(format!("http://{host}:{port} is no phanos collector of this version")),
            _ => {
                let text = String::from_utf8_lossy(&body);
                let line = text.lines().next().unwrap_or_default();
                Err(format!("http://{host}:{port} answers {status}: {line}"))
            }
        }
    }
}
