//! Text in JSON, borrowed where it stands as it is.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::intake::reason::Reason;

/// The text of a JSON string; `None` if it is something else.
pub(crate) fn string(raw: &RawValue) -> Result<Option<Cow<'_, str>>, Reason> {
    let text = raw.get();
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Ok(None);
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    // Half of a surrogate pair is JSON, and no text.
    let read = serde_json::from_str(text);
    read.map(|text: String| Some(Cow::Owned(text))).map_err(|_| Reason::WrongType)
}

/// The text of a string, an empty one for null, and the JSON of anything else.
pub(crate) fn of(raw: &RawValue) -> Result<Cow<'_, str>, Reason> {
    let text = string(raw)?;
    Ok(text.unwrap_or(if raw.get() == "null" { "".into() } else { raw.get().into() }))
}

/// As [`of`], for what may not be an array or an object.
pub(crate) fn of_scalar(raw: &RawValue) -> Result<Cow<'_, str>, Reason> {
    if raw.get().starts_with(['[', '{']) { Err(Reason::WrongType) } else { of(raw) }
}
