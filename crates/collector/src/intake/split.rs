//! A record cut in two without being read: what repeats from record to record, and a number.
//!
//! Our own records end in `},"value":["observe",1.25]}`. What comes before the number is the same
//! for every record of one call path: who has read it once knows it again by comparing bytes, which
//! takes a tenth of the time that reading takes.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use phanos_core::record::Operation;

use crate::intake::kind::operation_of_name;
use crate::intake::number;

/// What stands between the labels of a record and its operation.
const MIDDLE: &[u8] = b"},\"value\":[\"";
static MIDDLE_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MIDDLE));
/// A record whose operation comes later is not cut: looking for it would take time for each of
/// the records before it.
const LONGEST_HEAD: usize = 4096;

/// A record that was cut, and not read: it may be no JSON at all.
///
/// If a whole record with this head, its number and `]}` is JSON, so is every other number with
/// this head and `]}`, and it means the same but for the number: `"value":["` can only be a key and
/// the beginning of an array, since quotes inside of strings have a backslash before them, and that
/// array ends with the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split<'a> {
    /// From the opening brace to what precedes the number, operation included.
    pub head: &'a [u8],
    pub operation: Operation,
    pub number: f64,
    /// Bytes of the whole record.
    pub length: usize,
}

impl<'a> Split<'a> {
    /// Cuts the record that `bytes` begin with; `None` if it does not look like one of ours.
    #[inline]
    pub fn cut(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first() != Some(&b'{') {
            return None;
        }
        let searched = &bytes[..bytes.len().min(LONGEST_HEAD)];
        let middle = MIDDLE_FINDER.find(searched)?;
        let name = middle + MIDDLE.len();
        // The longest operation is "observe".
        let after_name = &searched[name..searched.len().min(name + 8)];
        let name_bytes = after_name.iter().position(|byte| *byte == b'"')?;
        let operation = operation_of_name(&after_name[..name_bytes])?;
        let comma = name + name_bytes + 1;
        if bytes.get(comma) != Some(&b',') {
            return None;
        }
        let (number, number_bytes) = number::read(&bytes[comma + 1..])?;
        let end = comma + 1 + number_bytes;
        if bytes.get(end..end + 2) != Some(b"]}") {
            return None;
        }
        Some(Self { head: &bytes[..=comma], operation, number, length: end + 2 })
    }
}
