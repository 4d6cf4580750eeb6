//! Listeners and connections that a forked child does not keep: of a process that runs other code
//! as well, children may live on when it ends.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use phanos_delivery::{Unshared, opening};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Listens at an address.
///
/// # Errors
/// Those of the system, such as that the address is in use.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(StdTcpListener, Unshared)> {
    let _opening = opening();
    let listener = StdTcpListener::bind(address)?;
    let unshared = Unshared::new(&listener);
    listener.set_nonblocking(true)?;
    Ok((listener, unshared))
}

pub(crate) async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, Unshared)> {
    noted(|context| listener.poll_accept(context)).await
}

pub(crate) async fn accept_local(listener: &UnixListener) -> io::Result<(UnixStream, Unshared)> {
    noted(|context| listener.poll_accept(context)).await
}

async fn noted<S: AsFd, A>(
    accept: impl Fn(&mut Context<'_>) -> Poll<io::Result<(S, A)>>,
) -> io::Result<(S, Unshared)> {
    poll_fn(|context| {
        let _opening = opening();
        accept(context).map_ok(|(stream, _)| {
            let unshared = Unshared::new(&stream);
            (stream, unshared)
        })
    })
    .await
}
