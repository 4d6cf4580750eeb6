//! The files of the page, which are part of the program.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::serve::answer::{Answer, answer};

/// Scripts and styles are files of this server, and nothing else is loaded from anywhere; no text
/// becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      form-action 'none'; require-trusted-types-for 'script'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! assets {
    ($($path:literal: $content_type:expr, $file:literal;)*) => {
        [$(($path, $content_type, include_str!(concat!("../../page/", $file)))),*]
    };
}

const ASSETS: [(&str, &str, &str); 16] = assets! {
    "/": "text/html; charset=utf-8", "index.html";
    "/page/style.css": "text/css; charset=utf-8", "style.css";
    "/page/icon.svg": "image/svg+xml", "icon.svg";
    "/page/main.js": SCRIPT, "main.js";
    "/page/address.js": SCRIPT, "address.js";
    "/page/chart.js": SCRIPT, "chart.js";
    "/page/colours.js": SCRIPT, "colours.js";
    "/page/detail.js": SCRIPT, "detail.js";
    "/page/exports.js": SCRIPT, "exports.js";
    "/page/format.js": SCRIPT, "format.js";
    "/page/measures.js": SCRIPT, "measures.js";
    "/page/sandwich.js": SCRIPT, "sandwich.js";
    "/page/spread.js": SCRIPT, "spread.js";
    "/page/stream.js": SCRIPT, "stream.js";
    "/page/table.js": SCRIPT, "table.js";
    "/page/tree.js": SCRIPT, "tree.js";
};

/// The file at a path.
pub(crate) fn asset(path: &str) -> Option<Answer> {
    let (_, content_type, body) = ASSETS.iter().find(|(own, _, _)| *own == path)?;
    let mut answer = answer(StatusCode::OK, content_type, body.as_bytes().to_vec());
    let policy = HeaderValue::from_static(POLICY);
    answer.headers_mut().insert("content-security-policy", policy);
    Some(answer)
}
