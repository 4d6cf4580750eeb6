//! Which label names a metric expects.

use phanos_core::label;

#[test]
fn label_names_are_compared_as_sets() {
    assert_eq!(label::check(["a", "b"], ["b", "a"]), Ok(()));
    assert_eq!(label::check([], []), Ok(()));
    assert_eq!(label::check(["a", "a"], ["a"]), Ok(()));
}

#[test]
fn a_mismatch_names_what_was_expected_and_what_was_given() {
    let mismatch = label::check(["b", "a"], ["z"]).expect_err("differ");
    assert_eq!(mismatch.to_string(), "expected labels: a, b; labels given: z");
    let mismatch = label::check([], ["z"]).expect_err("differ");
    assert_eq!(mismatch.to_string(), "expected labels: none; labels given: z");
    let mismatch = label::check(["a"], []).expect_err("differ");
    assert_eq!(mismatch.to_string(), "expected labels: a; labels given: none");
}
