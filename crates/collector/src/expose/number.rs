//! Numbers as text.

use std::io::Write as _;

/// Appends a number: `1.0`, `0.001`, `1e300`, `+Inf`.
pub(crate) fn write_float(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        // Writing to memory cannot fail.
        let _ = write!(out, "{number:?}");
    }
}

/// Appends a whole number.
pub(crate) fn write_integer(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
