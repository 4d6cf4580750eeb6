//! A TCP connection to a name that may have several addresses.
//!
//! The name is looked up each time. As RFC 8305 says, addresses of both families take turns, each
//! is tried as soon as the one before has failed or has had a head start, each has its own time,
//! and the first connection that is there is taken.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::process::thread::on_thread;

/// How long one address is tried alone before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to `host`. The look-up and each address may take up to `limit`.
pub(super) async fn dial(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    connect(by_turns(addresses(host, port, limit).await?), limit).await
}

async fn addresses(host: &str, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let look_up = move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
    let found = timeout(limit, on_thread("phanos-resolve", look_up)).await;
    found.map_err(|_| too_long("looking up the name", limit))??
}

/// The addresses of the first one's family and those of the other one by turns, each family in its
/// order.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(one.len() + other.len());
    while !one.is_empty() || !other.is_empty() {
        ordered.extend(one.pop_front());
        ordered.extend(other.pop_front());
    }
    ordered
}

async fn connect(addresses: Vec<SocketAddr>, limit: Duration) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        match left.next() {
            Some(address) => attempts.push(attempt(address, limit)),
            None if attempts.is_empty() => return Err(all_failed(failures)),
            None => {}
        }
        let has_more = left.len() > 0;
        tokio::select! {
            Some(outcome) = attempts.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err(failure) => failures.push(failure),
            },
            () = sleep(HEAD_START), if has_more => {}
        }
    }
}

async fn attempt(
    address: SocketAddr,
    limit: Duration,
) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let connected = timeout(limit, TcpStream::connect(address)).await;
    let connected = connected.unwrap_or_else(|_| Err(too_long("connecting", limit)));
    connected.map_err(|error| (address, error))
}

fn too_long(what: &str, limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} took longer than {limit:?}"))
}

/// The failure of the only address, or of all of them, each with its address.
fn all_failed(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    if failures.len() == 1
        && let Some((_, only)) = failures.pop()
    {
        return only;
    }
    let mut text = String::new();
    for (address, error) in &failures {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{address}: {error}");
    }
    if text.is_empty() {
        text.push_str("the name has no address");
    }
    io::Error::other(text)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use socket2::{Domain, Socket, Type};
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    /// An address at which connecting neither succeeds nor fails, as long as the sockets live: the
    /// queue of the listener is full.
    fn silent() -> (SocketAddr, Socket, Vec<Socket>) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&local.into()).expect("a port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("bound").as_socket().expect("TCP");
        let mut waiting = Vec::new();
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            let connected = socket.connect_timeout(&address.into(), Duration::from_millis(200));
            waiting.push(socket);
            if connected.is_err() {
                return (address, listener, waiting);
            }
        }
    }

    fn refusing() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound")
    }

    #[test]
    fn an_address_that_does_not_answer_costs_a_head_start() {
        let (dead, _listener, _waiting) = silent();
        let healthy = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = healthy.local_addr().expect("bound");
        let start = Instant::now();
        let stream = runtime().block_on(connect(vec![dead, dead, address], PATIENCE));
        assert_eq!(stream.expect("connected").peer_addr().expect("connected"), address);
        assert!(start.elapsed() < PATIENCE, "its time is not waited for");
    }

    #[test]
    fn each_address_has_its_own_time() {
        let (dead, _listener, _waiting) = silent();
        let limit = Duration::from_millis(300);
        let error = runtime().block_on(connect(vec![dead, dead], limit)).expect_err("none answers");
        let text = error.to_string();
        assert_eq!(text.matches("connecting took longer than 300ms").count(), 2, "{text}");
    }

    #[test]
    fn what_fails_is_not_waited_for() {
        let healthy = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = healthy.local_addr().expect("bound");
        let stream = runtime().block_on(connect(vec![refusing(), address], PATIENCE));
        assert_eq!(stream.expect("connected").peer_addr().expect("connected"), address);
        let error = runtime().block_on(connect(vec![refusing()], PATIENCE)).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn families_take_turns() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        let ordered = by_turns(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(ordered, addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(by_turns(Vec::new()), []);
    }

    #[test]
    fn names_are_looked_up() {
        let found = runtime().block_on(addresses("localhost", 1, PATIENCE)).expect("known");
        assert!(found.iter().all(|address| address.ip().is_loopback()) && !found.is_empty());
        assert!(runtime().block_on(addresses("nowhere.invalid", 1, PATIENCE)).is_err());
    }
}
