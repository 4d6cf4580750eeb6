//! A value on its way out of the process: what a label or an operation carries, free of
//! the interpreter.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::number;

/// One value. Whatever is more than a scalar brings its text along, since only Python
/// knows how Python prints it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// Integers beyond `i64`, up to 64 bits.
    Unsigned(u64),
    Float(f64),
    Text(Box<str>),
    List(Vec<Value>),
    /// In the order of the dict it was copied from.
    Map(Vec<(Box<str>, Value)>),
    /// `text` is Python's `str()` of it, `json` what JSON gets.
    Shown {
        text: Box<str>,
        json: Box<Value>,
    },
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
            Self::Text(text) | Self::Shown { text, .. } => write_on_one_line(text, out),
            // Values that come from Python are `Shown` here; these are built by Rust code.
            Self::List(_) | Self::Map(_) => {
                out.push_str(&serde_json::to_string(self).unwrap_or_default());
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            // serde_json writes NaN and infinities as null, as orjson does.
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Shown { json, .. } => json.serialize(serializer),
        }
    }
}

/// Appends `text` with every character at which a line could break written as an escape
/// (the ones `str.splitlines` breaks at).
pub fn write_on_one_line(text: &str, out: &mut String) {
    let breaks = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    if !text.contains(breaks) {
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
