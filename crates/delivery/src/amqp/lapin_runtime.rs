//! The runtime that lapin works on: Tokio's, with a socket type of this module.
//!
//! A socket of `async_rs` that is dropped outside of any runtime starts a Tokio runtime for the
//! whole process, with a thread that never ends; lapin's thread drops its sockets like that.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use lapin::tcp::AsyncTcpStream;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::amqp::tune::HeartbeatEraser;
use crate::process::waking::Quiet;

/// Tokio, known by a handle.
#[derive(Clone, Debug)]
pub(super) struct LapinRuntime(Tokio);

impl LapinRuntime {
    /// The runtime that this is called in, for lapin.
    pub(super) fn current() -> Runtime<Self> {
        Runtime::new(Self(Tokio::default().with_handle(Handle::current())))
    }
}

impl RuntimeKit for LapinRuntime {}

impl Executor for LapinRuntime {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn(Quiet::new(future))
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for LapinRuntime {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// For sockets of other types; lapin gets none here.
    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Socket, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Socket::Tcp(connecting.await?.into_inner())) }
    }
}

/// What lapin reads and writes, with the traits of the futures crates.
pub(super) enum Socket {
    /// A TCP connection of Tokio.
    Tcp(TcpStream),
    /// A connection, encrypted or not, over which heartbeats are switched off.
    WithoutHeartbeats(Box<AsyncTcpStream<Socket>>, HeartbeatEraser),
}

impl Socket {
    pub(super) fn without_heartbeats(stream: AsyncTcpStream<Self>) -> Self {
        Self::WithoutHeartbeats(Box::new(stream), HeartbeatEraser::default())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(match self.get_mut() {
            Self::Tcp(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
                Ok(buffer.filled().len())
            }
            Self::WithoutHeartbeats(stream, eraser) => {
                let length = ready!(Pin::new(stream).poll_read(context, buffer))?;
                eraser.pass(&mut buffer[..length]);
                Ok(length)
            }
        })
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::WithoutHeartbeats(stream, _) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Self::WithoutHeartbeats(stream, _) => {
                Pin::new(stream).poll_write_vectored(context, bytes)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::WithoutHeartbeats(stream, _) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::WithoutHeartbeats(stream, _) => Pin::new(stream).poll_close(context),
        }
    }
}
