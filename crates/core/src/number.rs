//! Numbers the way Python and orjson write them.

use std::fmt::Write as _;

use crate::json;

/// Appends what Python's `repr(float)` writes: the shortest digits that read back as the
/// same number, positional from 1e-4 up to 1e16.
pub(crate) fn write_python(number: f64, out: &mut String) {
    if number.is_nan() {
        out.push_str("nan");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number > 0.0 { "inf" } else { "-inf" });
        return;
    }
    if let Some(hundredths) = hundredths_of(number) {
        write_hundredths(number.is_sign_negative(), hundredths, |digits| {
            out.extend(digits.iter().map(|digit| char::from(*digit)));
        });
        return;
    }
    let magnitude = number.abs();
    // Rust's own formatting breaks ties between shortest digits the other way.
    let shortest = serde_json::to_string(&number).unwrap_or_default();
    if let Some((digits, exponent)) = shortest.split_once('e') {
        let (sign, exponent) = exponent.split_at(1);
        let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
    } else if magnitude < 1e-4 {
        let minus = if number.is_sign_negative() { "-" } else { "" };
        let digits = shortest.trim_start_matches(['-', '0', '.']);
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{minus}{first}{point}{rest}e-05");
    } else {
        out.push_str(&shortest);
    }
}

/// Appends what orjson writes: the shortest digits that read back as the same number,
/// positional from 1e-5 up to 1e16; `null` for NaN and infinities.
pub fn write_json(number: f64, out: &mut Vec<u8>) {
    match hundredths_of(number) {
        Some(hundredths) => {
            write_hundredths(number.is_sign_negative(), hundredths, |digits| {
                out.extend_from_slice(digits);
            });
        }
        None => json::write_with_serde(&number, out),
    }
}

/// The magnitude in hundredths, if the number has two decimals at most.
///
/// Times have two: as an integer count of hundredths they print in 10 ns, where the search for
/// the shortest digits takes 60. Up to 15 digits are always the shortest.
fn hundredths_of(number: f64) -> Option<i64> {
    let magnitude = number.abs();
    if magnitude < 1e12 {
        #[allow(clippy::cast_possible_truncation)] // Below 1e14.
        let hundredths = (magnitude * 100.0 + 0.5) as i64;
        #[allow(clippy::cast_precision_loss)] // Exact below 2^53.
        let same = hundredths as f64 / 100.0;
        return (same.to_bits() == magnitude.to_bits()).then_some(hundredths);
    }
    None
}

/// Calls `write` with the decimal digits of a number of hundredths.
fn write_hundredths(negative: bool, hundredths: i64, write: impl FnOnce(&[u8])) {
    let digit = |number: i64| b'0' + u8::try_from(number % 10).unwrap_or(0);
    let mut text = *b"00000000000000000.00";
    let mut length = text.len();
    text[18] = digit(hundredths / 10);
    text[19] = digit(hundredths);
    if text[19] == b'0' {
        length -= 1; // One decimal stays, also of a whole number.
    }
    let mut start = 17;
    let mut whole = hundredths / 100;
    loop {
        start -= 1;
        text[start] = digit(whole);
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    if negative {
        start -= 1;
        text[start] = b'-';
    }
    write(&text[start..length]);
}

/// Decimals of the milliseconds of time metrics, unless more or fewer are asked for.
pub const USUAL_DECIMALS: u32 = 2;

/// Milliseconds with `decimals` decimals, six at most.
#[cold]
pub fn milliseconds_with(decimals: u32, nanoseconds: u64) -> f64 {
    let decimals = decimals.min(6);
    let unit = 10u64.pow(6 - decimals);
    #[allow(clippy::cast_precision_loss)] // As below.
    let units = (nanoseconds.saturating_add(unit / 2) / unit) as f64;
    units / f64::from(10u32.pow(decimals))
}

/// Milliseconds with two decimals, the unit of time metrics: what `round(ms, 2)` gives.
#[allow(clippy::cast_precision_loss)] // Exact below 2^53 hundredths: 2,800 years.
pub fn milliseconds(nanoseconds: u64) -> f64 {
    (nanoseconds.saturating_add(5_000) / 10_000) as f64 / 100.0
}
