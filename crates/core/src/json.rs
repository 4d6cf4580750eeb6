//! JSON strings and numbers as orjson writes them: compact, UTF-8, nothing escaped that need not
//! be.

use serde::Serialize;

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    write_with_serde(text, out);
}

/// Appends what `serde_json` makes of a number or a string: the same as orjson.
pub(crate) fn write_with_serde<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, value);
}
