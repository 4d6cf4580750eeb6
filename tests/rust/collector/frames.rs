//! Frames of the local socket.

use phanos_delivery::frame::{
    LENGTH_BYTES, LocalMessage, MOST_BYTES, Reply, Request, VERSION, length, read_reply,
    read_request, write_flush, write_hello, write_message_head, write_refused, write_stored,
    write_welcome,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The frame without its length, which must be right.
fn checked(frame: &[u8]) -> &[u8] {
    let (first, rest) = frame.split_first_chunk::<LENGTH_BYTES>().expect("a length");
    assert_eq!(length(*first), Ok(rest.len()));
    rest
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    checked(&out).to_vec()
}

#[test]
fn frames_read_back() {
    let hello = written(write_hello);
    assert_eq!(read_request(&hello), Ok(Request::Hello { version: VERSION }));
    assert_eq!(read_request(&written(write_flush)), Ok(Request::Flush));
    assert_eq!(read_reply(&written(write_welcome)), Ok(Reply::Welcome { version: VERSION }));
    let stored = written(|out| write_stored(7, out));
    assert_eq!(read_reply(&stored), Ok(Reply::Stored(7)));
    let refused = written(|out| write_refused("why", out));
    assert_eq!(read_reply(&refused), Ok(Reply::Refused("why")));
}

#[test]
fn what_makes_no_sense_is_an_error() {
    assert!(length([0; 4]).is_err());
    assert!(length(u32::MAX.to_le_bytes()).is_err());
    assert!(length(u32::try_from(MOST_BYTES).expect("fits").to_le_bytes()).is_ok());
    for frame in [&[][..], &[1], b"\x01phanot\x01\x00", &[2, 0, 0], &[4, 1, 0], &[6]] {
        assert!(read_request(frame).is_err(), "{frame:?}");
    }
    for frame in [&[][..], &[4], &[5, 1], &[1], &[3]] {
        assert!(read_reply(frame).is_err(), "{frame:?}");
    }
    // Of a later version.
    assert_eq!(read_request(&[200, 1, 2]), Ok(Request::Unknown));
    assert_eq!(read_reply(&[200, 1, 2]), Ok(Reply::Unknown));
}

proptest! {
    #[test]
    fn messages_read_back(
        number in proptest::option::of(1_u64..),
        settled in any::<u64>(),
        texts in ["\\PC{0,30}", "\\PC{0,30}", "\\PC{0,30}"],
        body in vec(any::<u8>(), 0..100),
    ) {
        let [worker, metric, job] = &texts;
        let message = LocalMessage { number, settled, worker, metric, job, body: &body };
        let mut frame = Vec::new();
        write_message_head(&message, &mut frame);
        frame.extend_from_slice(&body);
        prop_assert_eq!(read_request(checked(&frame)), Ok(Request::Message(message)));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..60)) {
        let _ = read_request(&bytes);
        let _ = read_reply(&bytes);
    }
}

#[test]
fn texts_that_are_too_long_are_cut() {
    let long = "\u{e9}".repeat(40_000);
    let message =
        LocalMessage { number: None, settled: 0, worker: "", metric: "", job: &long, body: b"" };
    let mut frame = Vec::new();
    write_message_head(&message, &mut frame);
    let Ok(Request::Message(read)) = read_request(checked(&frame)) else { panic!("no message") };
    assert_eq!(read.job.len(), 65_534);
}
