//! Texts of others, fit for a log: receivers and file names must not be able to forge lines, or to
//! send a terminal commands.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest text, in bytes.
const MOST_BYTES: usize = 2000;

/// `text` with its control characters, line separators and marks of writing direction as escapes,
/// cut where it is very long. Doing it once more changes nothing.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_BYTES && !text.contains(is_unfit) {
        return Cow::Borrowed(text);
    }
    let mut fit = String::with_capacity(text.len().min(MOST_BYTES) + 16);
    for character in text.chars() {
        if fit.len() > MOST_BYTES - "...".len() - "\\u{10ffff}".len() {
            fit.push_str("...");
            break;
        }
        if is_unfit(character) {
            // Writing to a String cannot fail.
            let _ = write!(fit, "{}", character.escape_default());
        } else {
            fit.push(character);
        }
    }
    Cow::Owned(fit)
}

fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        assert_eq!(one_line("404 NOT_FOUND - no exchange 'x'"), "404 NOT_FOUND - no exchange 'x'");
        let forged = "no\r\nroot: \x1b[2J\0\u{9b}\u{2028}\u{202e}";
        let fit = r"no\r\nroot: \u{1b}[2J\u{0}\u{9b}\u{2028}\u{202e}";
        assert_eq!(one_line(forged), fit);
    }

    #[test]
    fn long_texts_are_cut() {
        let cut = one_line(&"é".repeat(MOST_BYTES)).into_owned();
        assert!(cut.ends_with("é...") && cut.len() <= MOST_BYTES, "{}", cut.len());
        assert_eq!(one_line(&cut), cut);
    }

    proptest! {
        #[test]
        fn any_text_becomes_fit(text in "\\PC*|(?s).*") {
            let fit = one_line(&text).into_owned();
            prop_assert!(!fit.contains(is_unfit) && fit.len() <= MOST_BYTES);
            prop_assert_eq!(one_line(&fit), fit.as_str());
        }
    }
}
