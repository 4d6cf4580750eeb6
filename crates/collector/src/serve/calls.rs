//! The call tree: once (`/api/calls`), or as events (`/api/events`); how long calls took
//! (`/api/spread`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::expose::page::gzip;
use crate::hub::shared::Hub;
use crate::serve::answer::{Answer, add, answer, events, text};
use crate::serve::events::Events;
use crate::serve::query::parameter;
use crate::tree::answer::Told;
use crate::tree::look::Asked;
use crate::tree::window::Window;

/// Between events; and so many times as long as the last one took to make.
const INTERVAL: Duration = Duration::from_secs(1);
const REST: u32 = 20;
/// A client that takes nothing for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Pages that may be open: connections are left for scrapes.
const MOST_WATCHERS: u64 = 64;

const USUAL: Window = Window::Last { length_ms: 300_000, ago_ms: 0 };

fn asked(query: &str) -> Result<Asked, String> {
    let window = |name| parameter(query, name).map(|text| Window::read(&text)).transpose();
    Ok(Asked {
        job: parameter(query, "job").map(Into::into),
        window: window("window")?.unwrap_or(USUAL),
        compare: window("compare")?,
    })
}

/// All of it, as JSON.
pub(crate) async fn once(hub: Arc<Hub>, query: &str, compressed: bool) -> Answer {
    let asked = match asked(query) {
        Ok(asked) => asked,
        Err(error) => return text(StatusCode::BAD_REQUEST, &error),
    };
    json(compressed, move || hub.calls(&asked, &mut Told::default())).await
}

/// How long calls took of all paths with the text `of` in their names, as JSON.
pub(crate) async fn spread(hub: Arc<Hub>, query: &str, compressed: bool) -> Answer {
    let (asked, of) = match (asked(query), parameter(query, "of")) {
        (Ok(asked), Some(of)) => (asked, of.into_owned()),
        (Ok(_), None) => return text(StatusCode::BAD_REQUEST, "of: the name of a function"),
        (Err(error), _) => return text(StatusCode::BAD_REQUEST, &error),
    };
    json(compressed, move || hub.spread(&asked, &of)).await
}

async fn json(compressed: bool, write: impl FnOnce() -> String + Send + 'static) -> Answer {
    let body = spawn_blocking(move || {
        let body = write().into_bytes();
        if compressed { gzip(&body) } else { body }
    });
    let Ok(body) = body.await else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the call tree cannot be written");
    };
    let mut answer = answer(StatusCode::OK, "application/json", body);
    add(answer.headers_mut(), "vary", "accept-encoding");
    if compressed {
        add(answer.headers_mut(), "content-encoding", "gzip");
    }
    answer
}

/// All of it, and then what changes, until the client goes or `end` changes.
pub(crate) fn watched(hub: Arc<Hub>, query: &str, end: watch::Receiver<bool>) -> Answer {
    let asked = match asked(query) {
        Ok(asked) => asked,
        Err(error) => return text(StatusCode::BAD_REQUEST, &error),
    };
    let Some(watching) = Watching::new(hub) else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open");
    };
    let (sender, body) = Events::new();
    tokio::spawn(async move {
        let mut end = end;
        tokio::select! {
            _ = end.changed() => {}
            () = tell(watching, asked, sender) => {}
        }
    });
    events(body)
}

async fn tell(watching: Watching, asked: Asked, sender: mpsc::Sender<Bytes>) {
    let mut told = Told::default();
    loop {
        let begin = Instant::now();
        let (hub, asked) = (Arc::clone(&watching.hub), asked.clone());
        let work = spawn_blocking(move || {
            let event = hub.calls(&asked, &mut told);
            (told, Bytes::from(format!("data: {event}\n\n")))
        });
        let Ok((kept, event)) = work.await else { return };
        told = kept;
        let rest = INTERVAL.max(begin.elapsed() * REST);
        if !matches!(timeout(SEND_TIMEOUT, sender.send(event)).await, Ok(Ok(()))) {
            return;
        }
        tokio::select! {
            () = sender.closed() => return,
            () = sleep(rest) => {}
        }
    }
}

/// One page that is open.
struct Watching {
    hub: Arc<Hub>,
}

impl Watching {
    fn new(hub: Arc<Hub>) -> Option<Self> {
        let before = hub.condition.watchers.fetch_add(1, Ordering::Relaxed);
        let watching = Self { hub };
        // Counted down again when it is dropped.
        (before < MOST_WATCHERS).then_some(watching)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.hub.condition.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}
