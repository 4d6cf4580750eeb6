//! Which label names a metric expects, and the text of a mismatch.

use std::fmt;

/// Why the labels of an operation were refused.
#[derive(Debug, PartialEq, Eq)]
pub struct LabelMismatch {
    expected: Vec<String>,
    given: Vec<String>,
}

impl fmt::Display for LabelMismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &[String]| {
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        write!(
            formatter,
            "expected labels: {}; labels given: {}",
            names(&self.expected),
            names(&self.given)
        )
    }
}

/// Compares two sets of label names.
///
/// # Errors
/// [`LabelMismatch`], naming both sorted, unless they are the same set.
pub fn check<'a>(
    expected: impl IntoIterator<Item = &'a str>,
    given: impl IntoIterator<Item = &'a str>,
) -> Result<(), LabelMismatch> {
    let sorted = |names: &mut dyn Iterator<Item = &'a str>| {
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    };
    let expected = sorted(&mut expected.into_iter());
    let given = sorted(&mut given.into_iter());
    if expected == given { Ok(()) } else { Err(LabelMismatch { expected, given }) }
}
