//! The broker's proposal of heartbeats, taken out of what it sends.
//!
//! lapin follows the broker if the client wants no heartbeats and the broker does. The protocol
//! leaves that to the client, so lapin is told that the broker wants none either.

/// Sets the heartbeat of the broker's `connection.tune` to 0; anything else passes unchanged.
#[derive(Debug, Default)]
pub(super) struct HeartbeatEraser {
    header: [u8; HEADER_BYTES],
    method: [u8; METHOD_BYTES],
    /// Bytes of the current frame that have passed.
    position: usize,
    /// True once there is nothing left to do.
    done: bool,
}

const HEADER_BYTES: usize = 7;
const METHOD_BYTES: usize = 4;
const METHOD_FRAME: u8 = 1;
/// A header of the protocol instead of a frame: the broker speaks another version of it.
const PROTOCOL_HEADER: u8 = b'A';
/// The numbers of class `connection` and of its method `tune`.
const TUNE: [u8; METHOD_BYTES] = [0, 10, 0, 30];
/// Where a method frame's payload has the heartbeat: after class, method, `channel-max` and
/// `frame-max`.
const HEARTBEAT: std::ops::Range<usize> = 10..12;

impl HeartbeatEraser {
    /// Takes the next bytes that the broker sent, which may begin and end anywhere in a frame.
    pub(super) fn pass(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.done {
                return;
            }
            self.pass_byte(byte);
        }
    }

    fn pass_byte(&mut self, byte: &mut u8) {
        let position = self.position;
        self.position += 1;
        if position < HEADER_BYTES {
            self.header[position] = *byte;
            self.done = position == 0 && *byte == PROTOCOL_HEADER;
            return;
        }
        let offset = position - HEADER_BYTES;
        if offset < METHOD_BYTES {
            self.method[offset] = *byte;
        } else if self.header[0] == METHOD_FRAME
            && self.method == TUNE
            && HEARTBEAT.contains(&offset)
        {
            *byte = 0;
            self.done = offset + 1 == HEARTBEAT.end;
        }
        let [.., a, b, c, d] = self.header;
        // The payload is followed by one byte that ends the frame.
        if offset == u32::from_be_bytes([a, b, c, d]) as usize {
            self.position = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).expect("small").to_be_bytes();
        [&[kind, 0, 0], &size[..], payload, &[0xCE]].concat()
    }

    fn tune(heartbeat: u16) -> Vec<u8> {
        let heartbeat = heartbeat.to_be_bytes();
        frame(1, &[&TUNE[..], &[7, 255, 0, 2, 0, 0], &heartbeat].concat())
    }

    fn passed(sent: &[u8], pieces: usize) -> Vec<u8> {
        let mut eraser = HeartbeatEraser::default();
        let mut bytes = sent.to_vec();
        bytes.chunks_mut(pieces).for_each(|piece| eraser.pass(piece));
        bytes
    }

    #[test]
    fn only_the_heartbeat_of_the_first_tune_changes() {
        // Before it `start`, longer and shorter ones, after it what looks like another.
        let start = frame(1, &[0, 10, 0, 10, 0, 9, 0, 0, 0, 0, 60, 60, 0, 30, 60]);
        let others = [start, frame(1, &[0, 10]), frame(8, &[]), frame(3, &tune(5))].concat();
        let sent = [&others[..], &tune(60), &tune(61)].concat();
        let expected = [&others[..], &tune(0), &tune(61)].concat();
        for pieces in 1..=sent.len() {
            assert_eq!(passed(&sent, pieces), expected, "in pieces of {pieces} bytes");
        }
    }

    #[test]
    fn another_protocol_passes_unchanged() {
        let sent = [b"AMQP\x00\x00\x09\x01".to_vec(), tune(60)].concat();
        assert_eq!(passed(&sent, sent.len()), sent);
    }
}
