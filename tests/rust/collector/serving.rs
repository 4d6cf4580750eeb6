//! The HTTP side.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use flate2::read::GzDecoder;
use phanos_collector::{Message, Token, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::bodies::{body, call};
use crate::hubs::{Running, in_time};

struct Serving {
    running: Running,
    address: SocketAddr,
    end: watch::Sender<bool>,
}

impl Serving {
    async fn new(token: Option<Token>) -> Self {
        let running = Running::new(None);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (end, ending) = watch::channel(false);
        tokio::spawn(serve(listener, Arc::clone(&running.hub), token, None, ending));
        Self { running, address, end }
    }

    /// Sends bytes, and returns the head of the answer, in small letters, and the body.
    async fn raw(&self, request: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        in_time(stream.write_all(request)).await.expect("sent");
        let mut answer = Vec::new();
        in_time(stream.read_to_end(&mut answer)).await.expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        (head, answer.get(end + 4..).unwrap_or_default().to_vec())
    }

    async fn get(&self, path: &str, headers: &str) -> (String, Vec<u8>) {
        self.ask("GET", path, headers).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
        let host = self.address;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        );
        self.raw(request.as_bytes()).await
    }
}

fn assert_guarded(head: &str) {
    for guard in [
        "frame-ancestors 'none'",
        "default-src 'none'",
        "x-frame-options: deny",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(head.contains(guard), "{guard}: {head}");
    }
}

#[tokio::test]
async fn the_page_is_served_in_the_format_that_is_asked_for() {
    let serving = Serving::new(None).await;
    let body = body(&[call("A:b", 1.0)]);
    let message =
        Message { worker: "w", number: Some(1), metric: "t", body: &body, ..Message::default() };
    serving.running.hub.take(&message);
    let (head, text) = serving.get("/metrics", "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert_guarded(&head);
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.contains("phanos_t_seconds_count"), "{text}");
    assert!(text.contains("\nphanos_collector_records_total 1.0\n"), "{text}");
    let open = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    let (head, page) = serving.get("/metrics?x=y", open).await;
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(page.ends_with(b"# EOF\n"));
    let headers = format!("{open}Accept-Encoding: gzip\r\n");
    let (head, compressed) = serving.get("/metrics", &headers).await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut page = String::new();
    GzDecoder::new(&*compressed).read_to_string(&mut page).expect("gzip");
    assert!(page.ends_with("# EOF\n"));
    let (head, page) = serving.ask("HEAD", "/metrics", "").await;
    assert!(head.starts_with("http/1.1 200") && page.is_empty(), "{head}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let serving = Serving::new(None).await;
    for (method, path, status) in [
        ("GET", "/", "200"),
        ("GET", "/healthz", "200"),
        ("GET", "/readyz", "200"),
        ("GET", "/metrics/", "404"),
        ("GET", "/../etc/passwd", "404"),
        ("POST", "/metrics", "405"),
        ("DELETE", "/", "405"),
    ] {
        let (head, _) = serving.ask(method, path, "").await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{method} {path}: {head}");
        assert_guarded(&head);
    }
}

#[tokio::test]
async fn the_page_comes_from_here_alone() {
    let serving = Serving::new(Some(Token::new("secret").expect("a token"))).await;
    let (head, html) = serving.get("/", "").await;
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(head.contains("script-src 'self'") && !head.contains("unsafe"), "{head}");
    assert_guarded(&head);
    let html = String::from_utf8(html).expect("UTF-8");
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    let files: Vec<&str> = html.split('"').filter(|text| text.starts_with("page/")).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let (head, _) = serving.get(&format!("/{file}"), "").await;
        assert!(head.starts_with("http/1.1 200"), "{file}: {head}");
    }
}

/// Every module that a script imports is served, and every file that is there.
#[tokio::test]
async fn all_files_of_the_page_are_served() {
    let serving = Serving::new(None).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/collector/page");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if name != "index.html" {
            let (head, body) = serving.get(&format!("/page/{name}"), "").await;
            assert!(head.starts_with("http/1.1 200") && !body.is_empty(), "{name}: {head}");
        }
    }
}

#[tokio::test]
async fn calls_are_told_once_or_as_events() {
    let serving = Serving::new(Some(Token::new("secret").expect("a token"))).await;
    let bearer = "Authorization: Bearer secret\r\n";
    for path in ["/api/calls", "/api/spread", "/api/events"] {
        assert!(serving.get(path, "").await.0.starts_with("http/1.1 401"));
        let (head, body) = serving.get(&format!("{path}?window=soon"), bearer).await;
        assert!(head.starts_with("http/1.1 400"), "{head}");
        assert!(String::from_utf8_lossy(&body).contains("\"soon\" is no window"));
    }
    let send = |number| {
        let body = body(&[call("A:b", 1.0)]);
        let metric = "time_profiler";
        let message = Message {
            worker: "w",
            number: Some(number),
            metric,
            body: &body,
            ..Message::default()
        };
        serving.running.hub.take(&message);
    };
    send(1);
    let (head, body) = serving.get("/api/calls?window=all&job=JOB", bearer).await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&answer["paths"][0][1], &answer["rows"][0][1]), (&"A:b".into(), &1.into()));
    // 1 ms is the bucket below 2^(-79/8) s.
    let (_, body) = serving.get("/api/spread?window=all&job=JOB&of=b", bearer).await;
    let spread: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(spread["rows"], serde_json::json!([[answer["paths"][0][0], 0, -79, 1]]));
    let (_, body) = serving.get("/api/spread?window=all&job=JOB&of=c", bearer).await;
    assert_eq!(body, b"{\"rows\":[]}");
    let (head, _) = serving.get("/api/spread?window=all&job=JOB", bearer).await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    // The stream goes on: what comes later comes by itself.
    let mut stream = TcpStream::connect(serving.address).await.expect("connected");
    let request = format!("GET /api/events?window=all HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut told = String::new();
    let mut is_second = false;
    while told.matches("data: ").count() < 2 {
        let mut piece = [0; 4096];
        let length = in_time(stream.read(&mut piece)).await.expect("more");
        assert!(length > 0, "{told}");
        told.push_str(&String::from_utf8_lossy(&piece[..length]));
        if !std::mem::replace(&mut is_second, true) {
            send(2);
        }
    }
    assert!(told.to_lowercase().contains("content-type: text/event-stream"), "{told}");
    assert!(told.contains("\"rows\":[[0,2,0,0.002,"), "{told}");
    serving.end.send_replace(true);
    let mut rest = Vec::new();
    in_time(stream.read_to_end(&mut rest)).await.expect("the end");
}

#[tokio::test]
async fn whoever_lacks_the_token_learns_nothing() {
    let serving = Serving::new(Some(Token::new("secret").expect("a token"))).await;
    for (header, status) in [
        ("", "401"),
        ("Authorization: Bearer secret\r\n", "200"),
        ("Authorization: bearer secret\r\n", "200"),
        ("Authorization: Bearer secreT\r\n", "401"),
        ("Authorization: Bearer secret2\r\n", "401"),
        ("Authorization: Basic secret\r\n", "401"),
        ("Authorization: x\r\n", "401"),
    ] {
        let (head, body) = serving.get("/metrics", header).await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{header}: {head}");
        assert_eq!(body.len() > 1000, status == "200", "{header}");
    }
    assert!(serving.get("/healthz", "").await.0.starts_with("http/1.1 200"));
    assert_eq!(format!("{:?}", Token::new("secret")), "Ok(***)");
    assert!(Token::new("").is_err() && Token::new("a b").is_err());
}

#[tokio::test]
async fn nonsense_costs_its_connection_alone() {
    let serving = Serving::new(None).await;
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    for nonsense in [&b"\x16\x03\x01\x02\x00"[..], b"\r\n\r\n\r\n", b"GET\r\n\r\n", long.as_bytes()]
    {
        let mut stream = TcpStream::connect(serving.address).await.expect("connected");
        let _ = in_time(stream.write_all(nonsense)).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = in_time(stream.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert!(serving.get("/readyz", "").await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn the_end_closes_connections_that_wait() {
    let serving = Serving::new(None).await;
    let mut idle = TcpStream::connect(serving.address).await.expect("connected");
    assert!(serving.get("/", "").await.0.starts_with("http/1.1 200"));
    serving.end.send_replace(true);
    let mut rest = Vec::new();
    in_time(idle.read_to_end(&mut rest)).await.expect("closed");
    assert!(rest.is_empty());
}

/// A page of strangers whose name leads to 127.0.0.1 reads no numbers through a browser.
#[tokio::test]
async fn numbers_are_not_told_by_the_name_of_another_machine() {
    let ask = async |serving: &Serving, path: &str, lines: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
        serving.raw(request.as_bytes()).await.0
    };
    let serving = Serving::new(None).await;
    for path in
        ["/metrics", "/api/calls?job=JOB", "/api/spread?job=JOB&of=b", "/api/events?job=JOB"]
    {
        let head = ask(&serving, path, "Host: evil.example:9464\r\n").await;
        assert!(head.starts_with("http/1.1 403"), "{path}: {head}");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]"] {
        let head = ask(&serving, "/metrics", &format!("Host: {host}\r\n")).await;
        assert!(head.starts_with("http/1.1 200"), "{host}: {head}");
    }
    let head = ask(&serving, "/healthz", "Host: evil.example\r\n").await;
    assert!(head.starts_with("http/1.1 200"), "health tells no numbers: {head}");
    // A token tells such a page apart as well, and a proxy may send any name.
    let serving = Serving::new(Some(Token::new("secret").expect("a token"))).await;
    let lines = "Host: shop.example\r\nAuthorization: Bearer secret\r\n";
    let head = ask(&serving, "/metrics", lines).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
}
