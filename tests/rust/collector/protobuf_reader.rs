//! Reads Protocol Buffers by field numbers, written independently of what writes them.

use std::collections::BTreeMap;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Integer(u64),
    Double(f64),
    Bytes(Vec<u8>),
}

/// The fields of a message: by number, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields(BTreeMap<u64, Vec<Field>>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number has ten bytes at most");
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(usize::try_from(length).expect("a length"));
    *bytes = rest;
    taken
}

/// Messages that their lengths come before.
pub(crate) fn delimited(mut bytes: &[u8]) -> Vec<Fields> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = varint(&mut bytes);
        messages.push(Fields::read(take(&mut bytes, length)));
    }
    messages
}

impl Fields {
    pub(crate) fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Self::default();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let field = match key & 7 {
                0 => Field::Integer(varint(&mut bytes)),
                1 => {
                    let eight = take(&mut bytes, 8).try_into().expect("eight bytes");
                    Field::Double(f64::from_le_bytes(eight))
                }
                2 => {
                    let length = varint(&mut bytes);
                    Field::Bytes(take(&mut bytes, length).to_vec())
                }
                other => panic!("type {other}"),
            };
            fields.0.entry(key >> 3).or_default().push(field);
        }
        fields
    }

    pub(crate) fn all(&self, number: u64) -> &[Field] {
        self.0.get(&number).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn messages(&self, number: u64) -> Vec<Self> {
        let read = |field: &Field| match field {
            Field::Bytes(bytes) => Self::read(bytes),
            other => panic!("{other:?}"),
        };
        self.all(number).iter().map(read).collect()
    }

    pub(crate) fn message(&self, number: u64) -> Self {
        let messages = self.messages(number);
        assert_eq!(messages.len(), 1, "{number} of {self:?}");
        messages[0].clone()
    }

    pub(crate) fn integer(&self, number: u64) -> u64 {
        match self.all(number) {
            [Field::Integer(value)] => *value,
            other => panic!("{number}: {other:?}"),
        }
    }

    pub(crate) fn signed(&self, number: u64) -> i64 {
        unzigzag(self.integer(number))
    }

    pub(crate) fn double(&self, number: u64) -> f64 {
        match self.all(number) {
            [Field::Double(value)] => *value,
            other => panic!("{number}: {other:?}"),
        }
    }

    pub(crate) fn text(&self, number: u64) -> String {
        match self.all(number) {
            [Field::Bytes(bytes)] => String::from_utf8(bytes.clone()).expect("UTF-8"),
            other => panic!("{number}: {other:?}"),
        }
    }

    /// A packed field of numbers with signs.
    pub(crate) fn packed(&self, number: u64) -> Vec<i64> {
        let mut numbers = Vec::new();
        for field in self.all(number) {
            let Field::Bytes(bytes) = field else { panic!("{field:?}") };
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                numbers.push(unzigzag(varint(&mut rest)));
            }
        }
        numbers
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
