//! How Protocol Buffers are written: fields, each with its number and type.

/// Types of fields.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/// Bytes of a length that is written before it is known: enough for 256 MiB.
const LENGTH_BYTES: usize = 4;

/// A message whose length is not known yet.
#[must_use]
pub(crate) struct Open(usize);

pub(crate) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn key(field: u32, kind: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | kind), out);
}

pub(crate) fn integer(field: u32, number: u64, out: &mut Vec<u8>) {
    key(field, VARINT, out);
    varint(number, out);
}

/// A number with a sign, as `sint32` and `sint64` are written.
pub(crate) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

pub(crate) fn double(field: u32, number: f64, out: &mut Vec<u8>) {
    key(field, FIXED64, out);
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn bytes(field: u32, value: &[u8], out: &mut Vec<u8>) {
    key(field, LENGTH, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A message that is short: up to 127 bytes, put together aside and appended at once.
pub(crate) struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl Short {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 32], length: 0 }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// A field with a number below 16, as all of ours have.
    #[inline]
    pub(crate) fn integer(mut self, field: u8, mut number: u64) -> Self {
        self.push(field << 3);
        while number >= 0x80 {
            self.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.push(number.to_le_bytes()[0]);
        self
    }

    #[inline]
    pub(crate) fn double(mut self, field: u8, number: f64) -> Self {
        self.push(field << 3 | 1);
        self.bytes[self.length..self.length + 8].copy_from_slice(&number.to_le_bytes());
        self.length += 8;
        self
    }

    /// Appends the message as a field of another one.
    #[inline]
    pub(crate) fn append(self, field: u8, out: &mut Vec<u8>) {
        let length = self.length.to_le_bytes()[0];
        out.extend_from_slice(&[field << 3 | 2, length]);
        out.extend_from_slice(&self.bytes[..self.length]);
    }
}

/// Appends a message of two texts: a label.
pub(crate) fn pair(field: u32, [first, second]: [(u32, &[u8]); 2], out: &mut Vec<u8>) {
    let bytes = |value: &[u8]| 1 + varint_bytes(value.len() as u64) + value.len();
    key(field, LENGTH, out);
    varint((bytes(first.1) + bytes(second.1)) as u64, out);
    for (field, value) in [first, second] {
        self::bytes(field, value, out);
    }
}

fn varint_bytes(number: u64) -> usize {
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Begins a message within a message.
pub(crate) fn open(field: u32, out: &mut Vec<u8>) -> Open {
    key(field, LENGTH, out);
    open_delimited(out)
}

/// Begins a message that only its length comes before.
pub(crate) fn open_delimited(out: &mut Vec<u8>) -> Open {
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    Open(out.len())
}

/// Ends a message: writes its length, with as many bytes as there is room for.
pub(crate) fn close(open: Open, out: &mut [u8]) {
    let mut length = out.len() - open.0;
    let place = &mut out[open.0 - LENGTH_BYTES..open.0];
    for byte in place.iter_mut() {
        *byte = length.to_le_bytes()[0] | 0x80;
        length >>= 7;
    }
    place[LENGTH_BYTES - 1] &= 0x7f;
}
