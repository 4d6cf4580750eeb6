//! Connections to the HTTP side.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::hub::shared::Hub;
use crate::net::accept;
use crate::serve::access::Access;
use crate::serve::routes::route;
use crate::serve::tls::Tls;
use crate::serve::token::Token;

/// Connections at a time; further ones wait.
const MOST_CONNECTIONS: usize = 128;
/// How long a request may take to come, from the end of the last one on.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// After an error of accepting: there may be no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `end` changes; answers that have begun are finished by tasks of their own.
pub async fn serve(
    listener: TcpListener,
    hub: Arc<Hub>,
    token: Option<Token>,
    tls: Option<Tls>,
    mut end: watch::Receiver<bool>,
) {
    let token = Arc::new(token);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            _ = end.changed() => return,
            accepted = accept(&listener) => accepted,
        };
        let Ok((stream, unshared)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let tls = tls.clone();
        let connection = connection(stream, tls, Arc::clone(&hub), Arc::clone(&token), end.clone());
        tokio::spawn(async move {
            connection.await;
            drop((place, unshared));
        });
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<Tls>,
    hub: Arc<Hub>,
    token: Arc<Option<Token>>,
    mut end: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok();
    // An error is the client's.
    match tls {
        None => answer(stream, local, hub, token, end).await,
        Some(tls) => {
            let accepted = tokio::select! {
                accepted = tls.accept(stream) => accepted,
                _ = end.changed() => return,
            };
            if let Ok(stream) = accepted {
                answer(stream, local, hub, token, end).await;
            }
        }
    }
}

/// Answers what is asked on a connection until its end.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    local: Option<SocketAddr>,
    hub: Arc<Hub>,
    token: Arc<Option<Token>>,
    mut end: watch::Receiver<bool>,
) {
    let ending = end.clone();
    let service = service_fn(move |request| {
        let (hub, token, ending) = (Arc::clone(&hub), Arc::clone(&token), ending.clone());
        async move {
            let access = Access { token: (*token).as_ref(), local };
            Ok::<_, Infallible>(route(hub, access, request, ending).await)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // An error is the client's.
    tokio::select! {
        _ = &mut serving => {}
        _ = end.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}
