//! Units as profilers name them, and the base units of Prometheus.

/// A base unit, and how numbers are converted to it: times `multiply`, divided by `divide`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit<'a> {
    /// The end of a family's name; empty for none.
    pub name: &'a str,
    pub scale: Scale,
}

/// Two numbers, since a division by 1000 is exact where a multiplication by 0.001 is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub multiply: f64,
    pub divide: f64,
}

impl Scale {
    pub const ONE: Self = Self { multiply: 1.0, divide: 1.0 };

    #[inline]
    pub fn apply(self, number: f64) -> f64 {
        number * self.multiply / self.divide
    }
}

const fn divided(by: f64) -> Scale {
    Scale { multiply: 1.0, divide: by }
}

const fn times(factor: f64) -> Scale {
    Scale { multiply: factor, divide: 1.0 }
}

/// Names of units, the base unit of each, and the way there.
const KNOWN: [(&[&str], &str, Scale); 22] = [
    (&["", "info", "enum", "1", "none"], "", Scale::ONE),
    (&["s", "S", "sec", "second", "seconds"], "seconds", Scale::ONE),
    (&["mS", "ms", "msec", "millisecond", "milliseconds"], "seconds", divided(1e3)),
    (&["uS", "us", "µs", "μs", "microsecond", "microseconds"], "seconds", divided(1e6)),
    (&["nS", "ns", "nanosecond", "nanoseconds"], "seconds", divided(1e9)),
    (&["min", "minute", "minutes"], "seconds", times(60.0)),
    (&["h", "hour", "hours"], "seconds", times(3600.0)),
    (&["d", "day", "days"], "seconds", times(86_400.0)),
    (&["B", "byte", "bytes"], "bytes", Scale::ONE),
    (&["kB", "KB", "kilobyte", "kilobytes"], "bytes", times(1e3)),
    (&["MB", "megabyte", "megabytes"], "bytes", times(1e6)),
    (&["GB", "gigabyte", "gigabytes"], "bytes", times(1e9)),
    (&["KiB", "kibibyte", "kibibytes"], "bytes", times(1024.0)),
    (&["MiB", "mebibyte", "mebibytes"], "bytes", times(1_048_576.0)),
    (&["GiB", "gibibyte", "gibibytes"], "bytes", times(1_073_741_824.0)),
    (&["%", "percent"], "ratio", divided(100.0)),
    (&["ratio"], "ratio", Scale::ONE),
    (&["m", "meter", "meters"], "meters", Scale::ONE),
    (&["g", "gram", "grams"], "grams", Scale::ONE),
    (&["kg", "kilogram", "kilograms"], "grams", times(1e3)),
    (&["V", "volt", "volts"], "volts", Scale::ONE),
    (&["J", "joule", "joules"], "joules", Scale::ONE),
];

/// The base unit of `units`; a unit that is not known is one of its own.
pub fn base_unit(units: &str) -> Unit<'_> {
    let known = KNOWN.iter().find(|(names, _, _)| names.contains(&units));
    known.map_or(Unit { name: units, scale: Scale::ONE }, |(_, name, scale)| Unit {
        name,
        scale: *scale,
    })
}
