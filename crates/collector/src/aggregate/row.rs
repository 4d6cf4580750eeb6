//! Rows of the store: numbers of varying length, floats and texts, one after the other.

/// Writes a row.
#[derive(Debug, Default)]
pub(crate) struct RowWriter(pub(crate) Vec<u8>);

impl RowWriter {
    pub(crate) fn integer(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// The number of things that follow.
    pub(crate) fn length(&mut self, length: usize) {
        self.integer(length as u64);
    }
}

/// Reads a row; everything is `None` beyond its end, or where it is not what was expected.
#[derive(Debug)]
pub(crate) struct RowReader<'a>(pub(crate) &'a [u8]);

impl<'a> RowReader<'a> {
    pub(crate) fn integer(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn float(&mut self) -> Option<f64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// The number of things that follow, each of which takes a byte at least.
    pub(crate) fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.integer()?).ok()?;
        (length <= self.0.len()).then_some(length)
    }
}
