//! Answers, and the headers that all of them have.

use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::serve::events::Events;

/// A whole body, or one that goes on.
pub(crate) type Answer = Response<Either<Full<Bytes>, Events>>;

/// No page may show this one in a frame or read it, nothing on it comes from elsewhere, and nobody
/// keeps it.
const GUARDS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// An answer of that type.
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Answer {
    with_body(status, content_type, Either::Left(Full::new(Bytes::from(body))))
}

/// An answer of events.
pub(crate) fn events(events: Events) -> Answer {
    let mut answer = with_body(StatusCode::OK, "text/event-stream", Either::Right(events));
    // Proxies would collect them.
    add(answer.headers_mut(), "x-accel-buffering", "no");
    answer
}

fn with_body(
    status: StatusCode,
    content_type: &'static str,
    body: Either<Full<Bytes>, Events>,
) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    add(response.headers_mut(), "content-type", content_type);
    for (name, value) in GUARDS {
        add(response.headers_mut(), name, value);
    }
    response
}

/// A line of text.
pub(crate) fn text(status: StatusCode, line: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", format!("{line}\n").into_bytes())
}

pub(crate) fn add(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
}
