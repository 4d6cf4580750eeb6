//! The value of a label or an operation on its way out of the process, free of the interpreter.

use std::fmt::Write as _;

use crate::{json, number};

/// One value. What is more than a scalar is text or JSON already, whichever was asked for, since
/// only Python knows how Python shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// Integers beyond `i64`, up to 64 bits.
    Unsigned(u64),
    Float(f64),
    Text(Box<str>),
    /// JSON text, for the wire form alone.
    Json(Box<str>),
}

impl Value {
    /// Appends the text form, as Python's `str()` writes it; line breaks are escaped, so a
    /// value cannot forge a line.
    pub fn write_text(&self, out: &mut String) {
        match self {
            Self::None => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Unsigned(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Float(number) => number::write_python(*number, out),
            Self::Text(text) | Self::Json(text) => write_on_one_line(text, out),
        }
    }

    /// Appends the JSON form, as orjson writes it.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(number) => json::write_with_serde(number, out),
            Self::Unsigned(number) => json::write_with_serde(number, out),
            Self::Float(number) => number::write_json(*number, out),
            Self::Text(text) => json::write_string(text, out),
            Self::Json(written) => out.extend_from_slice(written.as_bytes()),
        }
    }
}

/// Appends `text` with every character at which a line could break written as an escape
/// (the ones `str.splitlines` breaks at).
pub(crate) fn write_on_one_line(text: &str, out: &mut String) {
    let breaks = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let is_plain = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    if is_plain || !text.contains(breaks) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if breaks(c) && u32::from(c) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if breaks(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}
