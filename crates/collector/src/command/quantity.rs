//! Times and sizes as people write them: `15s`, `2h`, `64MiB`.

use std::fmt::Write as _;
use std::time::Duration;

const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// # Errors
/// What was given and what was expected.
pub(crate) fn read_time(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let expected = || format!("{text:?} is no time such as 500ms, 15s, 5m, 2h or 1d");
    read(text, &TIMES).map(Duration::from_millis).ok_or_else(expected)
}

/// # Errors
/// What was given and what was expected.
pub(crate) fn read_size(text: &str) -> Result<u64, String> {
    if let Ok(bytes) = text.parse() {
        return Ok(bytes);
    }
    read(text, &SIZES).ok_or_else(|| format!("{text:?} is no size such as 1000, 64MiB or 1GB"))
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

pub(crate) fn show_time(time: Duration) -> String {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    show(milliseconds, TIMES.iter().rev())
}

pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, SIZES[..3].iter().rev().chain(&SIZES[6..]))
}

/// With the first unit of which there is a whole number.
fn show<'a>(number: u64, units: impl Iterator<Item = &'a (&'a str, u64)>) -> String {
    let mut text = String::from("0");
    for (name, factor) in units {
        if number > 0 && number.is_multiple_of(*factor) {
            text.clear();
            let _ = write!(text, "{}{name}", number / factor);
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_and_shown() {
        for (text, time_ms) in [("0", 0), ("500ms", 500), ("15s", 15_000), ("1d", 86_400_000)] {
            assert_eq!(read_time(text), Ok(Duration::from_millis(time_ms)));
            assert_eq!(show_time(Duration::from_millis(time_ms)), text);
        }
        for (text, bytes) in [("1B", 1), ("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!((read_size(text), show_size(bytes)), (Ok(bytes), text.to_owned()));
        }
        assert_eq!((read_size("12"), read_size("2kB")), (Ok(12), Ok(2000)));
        for text in ["", "s", "5", "-5s", "1.5s", "5 s", "99999999999999999999s", "5x"] {
            assert!(read_time(text).unwrap_err().contains(text), "{text}");
        }
        for text in ["", "MiB", "-1", "99999999999999999GiB", "1 MB"] {
            assert!(read_size(text).unwrap_err().contains(text), "{text}");
        }
    }
}
