//! Numbers of JSON, read where they stand.

/// Powers of ten that are exact as floats.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// So many digits always fit into 53 bits.
const EXACT_DIGITS: usize = 15;

/// The number that `bytes` begin with, and its length; `None` if they begin with no finite number
/// as JSON writes it.
///
/// A quotient of two exact numbers is rounded once, so it is the nearest float: most numbers are
/// read like that, others by the standard library.
#[inline]
pub fn read(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut at = start;
    let mut mantissa: u64 = 0;
    // Counts leading zeros as well, which only makes fewer numbers quick to read.
    let mut digits = 0;
    while let Some(digit) = digit(bytes, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        digits += 1;
        at += 1;
    }
    // A number has a digit, and none after a leading zero.
    if digits == 0 || (digits > 1 && bytes[start] == b'0') {
        return None;
    }
    let mut decimals = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        while let Some(digit) = digit(bytes, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            decimals += 1;
            at += 1;
        }
        if decimals == 0 {
            return None;
        }
    }
    let has_exponent = matches!(bytes.get(at), Some(b'e' | b'E'));
    if !has_exponent && digits + decimals <= EXACT_DIGITS {
        #[allow(clippy::cast_precision_loss)] // Exact: see above.
        let number = mantissa as f64 / POWERS[decimals];
        return Some((if negative { -number } else { number }, at));
    }
    if has_exponent {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let first = at;
        while digit(bytes, at).is_some() {
            at += 1;
        }
        if at == first {
            return None;
        }
    }
    let number: f64 = std::str::from_utf8(&bytes[..at]).ok()?.parse().ok()?;
    number.is_finite().then_some((number, at))
}

#[inline]
fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}
