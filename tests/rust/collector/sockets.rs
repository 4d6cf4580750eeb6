//! Senders on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use phanos_collector::{LocalListener, Store};
use phanos_delivery::frame::{
    LENGTH_BYTES, LocalMessage, Reply, length, read_reply, write_flush, write_hello,
    write_message_head,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::bodies::{body, call};
use crate::hubs::{Running, in_time};
use crate::stored::Directory;

/// A listener, and what counts for it.
struct Listening {
    running: Running,
    path: PathBuf,
    end: watch::Sender<bool>,
    _directory: Directory,
}

impl Listening {
    fn new(store: Option<Store>) -> Self {
        let directory = Directory::new();
        let path = directory.path().join("socket");
        let listener = LocalListener::bind(&path).expect("bound");
        let running = Running::new(store);
        let (end, ending) = watch::channel(false);
        tokio::spawn(listener.listen(Arc::clone(&running.hub), ending));
        Self { running, path, end, _directory: directory }
    }

    async fn connect(&self) -> Sender {
        Sender { stream: UnixStream::connect(&self.path).await.expect("connected") }
    }
}

struct Sender {
    stream: UnixStream,
}

impl Sender {
    async fn send(&mut self, bytes: &[u8]) {
        in_time(self.stream.write_all(bytes)).await.expect("sent");
    }

    async fn hello(&mut self) {
        let mut hello = Vec::new();
        write_hello(&mut hello);
        self.send(&hello).await;
        let (welcome, _) = self.reply().await;
        assert_eq!(welcome, "Welcome { version: 1 }");
    }

    async fn message(&mut self, number: u64, body: &[u8]) {
        let number = Some(number);
        let message =
            LocalMessage { number, settled: 1, worker: "w", metric: "t", job: "JOB", body };
        let mut frame = Vec::new();
        write_message_head(&message, &mut frame);
        frame.extend_from_slice(body);
        self.send(&frame).await;
    }

    /// The next reply: as text, and the number in it.
    async fn reply(&mut self) -> (String, u64) {
        let mut bytes = [0; LENGTH_BYTES];
        in_time(self.stream.read_exact(&mut bytes)).await.expect("a reply");
        let mut frame = vec![0; length(bytes).expect("a length")];
        in_time(self.stream.read_exact(&mut frame)).await.expect("a reply");
        let reply = read_reply(&frame).expect("a reply");
        let stored = if let Reply::Stored(stored) = reply { stored } else { 0 };
        (format!("{reply:?}"), stored)
    }

    async fn wait_for_stored(&mut self, messages: u64) {
        loop {
            let (reply, stored) = self.reply().await;
            assert!(stored > 0 && stored <= messages, "{reply}");
            if stored == messages {
                return;
            }
        }
    }
}

#[tokio::test]
async fn messages_are_counted_and_confirmed() {
    let listening = Listening::new(None);
    let mut sender = listening.connect().await;
    sender.hello().await;
    let body = body(&[call("A:b", 1.0), call("A:c", 2.0)]);
    for number in 1..=100 {
        sender.message(number, &body).await;
    }
    sender.wait_for_stored(100).await;
    assert_eq!(listening.running.records(), 200);
    // Sent again over another connection: confirmed, and not counted.
    let mut again = listening.connect().await;
    again.hello().await;
    again.message(100, &body).await;
    again.wait_for_stored(1).await;
    assert_eq!(listening.running.records(), 200);
}

#[tokio::test]
async fn a_flush_is_confirmed_when_it_is_stored() {
    let state = Directory::new();
    let (store, _) = Store::open(state.path()).expect("opened");
    let listening = Listening::new(Some(store));
    let mut sender = listening.connect().await;
    sender.hello().await;
    for number in 1..=3 {
        sender.message(number, &body(&[call("A:b", 1.0)])).await;
    }
    let mut flush = Vec::new();
    write_flush(&mut flush);
    sender.send(&flush).await;
    sender.wait_for_stored(3).await;
    listening.end.send_replace(true);
    drop(listening.running.stop().await.expect("stored"));
    let (_, rows) = Store::open(state.path()).expect("opened");
    assert_eq!((rows.series.len(), rows.workers.len()), (1, 1));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_costs_no_other_sender() {
    let listening = Listening::new(None);
    let mut good = listening.connect().await;
    good.hello().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 8], &[3, 0, 0, 0, 3, 0, 0], &[1, 0, 0, 0, 3]]
    {
        let mut bad = listening.connect().await;
        bad.send(bytes).await;
        let (welcome, _) = bad.reply().await;
        assert!(welcome.starts_with("Welcome"), "{welcome}");
        let (refused, _) = bad.reply().await;
        assert!(refused.starts_with("Refused"), "{refused}");
        // An error, if there was more that nobody read.
        assert_eq!(in_time(bad.stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
    }
    let mut cut = listening.connect().await;
    cut.hello().await;
    cut.send(&[200, 0, 0, 0, 2, 1]).await;
    drop(cut);
    good.message(1, &body(&[call("A:b", 1.0)])).await;
    good.wait_for_stored(1).await;
    listening.running.wait_for_records(1).await;
}

#[tokio::test]
async fn the_socket_belongs_to_its_user() {
    let listening = Listening::new(None);
    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&listening.path), 0o600);
    assert_eq!(mode(listening.path.parent().expect("a folder")), 0o700);
    let error = LocalListener::bind(&listening.path).expect_err("taken");
    assert!(error.contains("another process listens there"), "{error}");
}

#[tokio::test]
async fn a_place_where_others_may_write_is_none() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).expect("made");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("changed");
    let error = LocalListener::bind(&directory.path().join("socket")).expect_err("refused");
    assert!(error.contains("others may write"), "{error}");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).expect("changed");
    let path = directory.path().join("socket");
    fs::write(&path, "precious").expect("written");
    let error = LocalListener::bind(&path).expect_err("refused");
    assert!(error.contains("something else is there"), "{error}");
    fs::remove_file(&path).expect("removed");
    // Left by a process that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    drop(LocalListener::bind(&path).expect("taken over"));
    assert!(!path.exists(), "removed at the end");
}
