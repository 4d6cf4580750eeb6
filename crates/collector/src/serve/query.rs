//! What stands behind the question mark.

use std::borrow::Cow;

/// The value of a parameter, decoded.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let found = pairs.into_iter().find(|(own, _)| *own == name);
    found.map(|(_, value)| decoded(value)).filter(|value| !value.is_empty())
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = after.split_at_checked(2).and_then(|(digits, after)| {
                    let digits = std::str::from_utf8(digits).ok()?;
                    Some((u8::from_str_radix(digits, 16).ok()?, after))
                });
                let Some((byte, after)) = digits else {
                    out.push(b'%');
                    continue;
                };
                out.push(byte);
                rest = after;
            }
            other => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

#[cfg(test)]
mod tests {
    use crate::serve::query::parameter;

    #[test]
    fn parameters_are_found_and_decoded() {
        let query = "job=a%20b+%C3%A9%&window=&x";
        assert_eq!(parameter(query, "job").as_deref(), Some("a b é%"));
        assert_eq!(parameter(query, "window"), None);
        assert_eq!(parameter(query, "ob"), None);
        assert_eq!(parameter("job=%zz", "job").as_deref(), Some("%zz"));
    }
}
