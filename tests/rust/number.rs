//! Numbers as text.

use phanos_core::number::milliseconds;
use phanos_core::value::Value;
use proptest::prelude::*;

fn python(number: f64) -> String {
    let mut out = String::new();
    Value::Float(number).write_text(&mut out);
    out
}

#[test]
fn floats_print_as_python_prints_them() {
    // Produced by repr() of CPython.
    for (number, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (0.09, "0.09"),
        (1.0, "1.0"),
        (-2.5, "-2.5"),
        (10.01, "10.01"),
        (1234.5, "1234.5"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.000_012_5, "1.25e-05"),
        (-0.000_012_5, "-1.25e-05"),
        (226_013_656_124_712.12, "226013656124712.12"),
        (0.005, "0.005"),
        (1.005, "1.005"),
        (1e15, "1000000000000000.0"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (1e16, "1e+16"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::NAN, "nan"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(python(number), expected);
    }
}

#[test]
fn milliseconds_have_two_decimals() {
    for (nanoseconds, expected) in [
        (0, 0.0),
        (4_999, 0.0),
        (5_000, 0.01),
        (14_999, 0.01),
        (1_000_000, 1.0),
        (1_234_567, 1.23),
        (3_600_000_000_000, 3_600_000.0),
    ] {
        let given = milliseconds(nanoseconds);
        assert_eq!(given.to_bits(), f64::to_bits(expected), "{nanoseconds} ns");
    }
}

proptest! {
    #[test]
    fn printed_floats_read_back_as_the_same_number(number in any::<f64>()) {
        let read: f64 = python(number).parse().expect("a number");
        prop_assert!(read.to_bits() == number.to_bits() || number.is_nan());
    }

    #[test]
    fn hundredths_print_as_the_shortest_digits_do(hundredths in -99_999_999_999_999_i64..99_999_999_999_999) {
        #[allow(clippy::cast_precision_loss)]
        let number = hundredths as f64 / 100.0;
        prop_assert_eq!(python(number), format!("{number:?}"));
    }
}
