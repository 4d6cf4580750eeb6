//! Which path has what.

use std::sync::Arc;

use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName};
use hyper::{Method, Request, StatusCode};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::expose::negotiate::{Format, accepts_gzip};
use crate::expose::page::gzip;
use crate::hub::shared::Hub;
use crate::serve::access::Access;
use crate::serve::answer::{Answer, add, answer, text};
use crate::serve::assets::asset;
use crate::serve::calls::{once, spread, watched};

/// The storing of changes is taken for dead when it is this late.
const STALLED_S: u64 = 30;

/// The answer to a request, whose body is not looked at. Answers that go on end with `end`.
pub(crate) async fn route<B>(
    hub: Arc<Hub>,
    access: Access<'_>,
    request: Request<B>,
    end: watch::Receiver<bool>,
) -> Answer {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD");
        add(answer.headers_mut(), "allow", "GET, HEAD");
        return answer;
    }
    let headers = request.headers();
    let query = request.uri().query().unwrap_or_default();
    let path = request.uri().path();
    // The page itself tells nothing that needs a token either.
    if let Some(asset) = asset(path) {
        return asset;
    }
    match path {
        // Health checks tell nothing that needs a token.
        "/healthz" => health(&hub),
        "/readyz" => match hub.condition.unready() {
            None => text(StatusCode::OK, "ready"),
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason),
        },
        _ => match (access.refusal(headers), path) {
            (Some(refusal), _) => refusal,
            (None, "/metrics") => metrics(hub, headers).await,
            (None, "/api/calls") => {
                once(hub, query, accepts_gzip(&joined(headers, &ACCEPT_ENCODING))).await
            }
            (None, "/api/spread") => {
                spread(hub, query, accepts_gzip(&joined(headers, &ACCEPT_ENCODING))).await
            }
            (None, "/api/events") => watched(hub, query, end),
            _ => text(StatusCode::NOT_FOUND, "not found"),
        },
    }
}

fn health(hub: &Hub) -> Answer {
    if hub.waiting_for().as_secs() < STALLED_S {
        text(StatusCode::OK, "ok")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "counted messages are not stored any more")
    }
}

async fn metrics(hub: Arc<Hub>, headers: &HeaderMap) -> Answer {
    let format = Format::of_accept(&joined(headers, &ACCEPT));
    let compressed = accepts_gzip(&joined(headers, &ACCEPT_ENCODING));
    let page = spawn_blocking(move || {
        let page = hub.page(format);
        if compressed { gzip(&page) } else { page }
    });
    let Ok(page) = page.await else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written");
    };
    let mut answer = answer(StatusCode::OK, format.content_type(), page);
    add(answer.headers_mut(), "vary", "accept, accept-encoding");
    if compressed {
        add(answer.headers_mut(), "content-encoding", "gzip");
    }
    answer
}

/// A header that may be there several times, as one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}
