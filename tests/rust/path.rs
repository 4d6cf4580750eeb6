//! Contexts: their text, and what the cache promises.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use phanos_core::path::{Path, item_of, item_of_path};
use phanos_core::path_cache::{Naming, PathCache, hash_name};
use proptest::prelude::*;

fn name(text: &str) -> Arc<str> {
    text.into()
}

fn child(cache: &mut PathCache, parent: &Rc<Path>, text: &str) -> Rc<Path> {
    cache.child(parent, &name(text), hash_name(text))
}

#[test]
fn the_text_joins_names_with_dots() {
    let root = Path::literal("A:root");
    let leaf = root.child(name("load")).child(name("query"));
    assert_eq!(leaf.text(), "A:root.load.query");
    assert_eq!(leaf.to_string(), "A:root.load.query");
}

#[test]
fn under_the_empty_context_a_name_stands_alone() {
    let nothing = Path::literal("");
    assert!(nothing.is_empty());
    assert_eq!(nothing.text(), "");
    let root = nothing.child(name("A:root"));
    assert_eq!(root.text(), "A:root");
    assert!(!root.is_empty());
}

#[test]
fn the_item_is_what_stands_before_the_first_colon() {
    assert_eq!(item_of("A:root.leaf"), "A");
    assert_eq!(item_of("A:b:c"), "A");
    assert_eq!(item_of("no colon.leaf"), "no colon.leaf");
    assert_eq!(item_of(":append"), "");
    assert_eq!(item_of(""), "");
}

#[test]
fn the_item_of_a_path_without_a_colon_is_its_root() {
    assert_eq!(item_of_path("Orders.get > load"), "Orders.get");
    assert_eq!(item_of_path("Orders.get"), "Orders.get");
    assert_eq!(item_of_path("A:root > x.leaf"), "A");
}

fn cache_by(naming: Naming) -> PathCache {
    let mut cache = PathCache::new(100);
    cache.set_naming(naming);
    cache
}

#[test]
fn qualified_names_are_joined_by_arrows() {
    let mut cache = cache_by(Naming { qualified: true, ..Naming::default() });
    let root = cache.root(&name("Orders.get"));
    let load = child(&mut cache, &root, "Stock.load");
    assert_eq!(child(&mut cache, &load, "query").text(), "Orders.get > Stock.load > query");
    assert_eq!(load.child(name("own")).text(), "Orders.get > Stock.load > own");
    cache.set_naming(Naming::default());
    let root = cache.root(&name("A:root"));
    assert_eq!(child(&mut cache, &root, "leaf").text(), "A:root.leaf");
}

#[test]
fn calls_within_themselves_share_a_path() {
    let mut cache = cache_by(Naming { folds: true, ..Naming::default() });
    let walk = cache.root(&name("A:walk"));
    let again = child(&mut cache, &walk, "walk");
    assert_eq!(again.text(), "A:walk*");
    assert!(Rc::ptr_eq(&again, &child(&mut cache, &again, "walk")));
    let leaf = child(&mut cache, &again, "leaf");
    assert_eq!(leaf.text(), "A:walk*.leaf");
    let below = child(&mut cache, &leaf, "leaf");
    assert_eq!(below.text(), "A:walk*.leaf*");
    assert!(Rc::ptr_eq(&below, &child(&mut cache, &leaf, "leaf")));
    assert_eq!(child(&mut cache, &below, "walk").text(), "A:walk*.leaf*.walk");
}

#[test]
fn deeper_calls_share_a_path_below_the_deepest() {
    let mut cache = cache_by(Naming { max_depth: 2, ..Naming::default() });
    let root = cache.root(&name("A:root"));
    let second = child(&mut cache, &root, "second");
    let deeper = child(&mut cache, &second, "third");
    assert_eq!(deeper.text(), "A:root.second.(deeper)");
    assert!(Rc::ptr_eq(&deeper, &child(&mut cache, &second, "other")));
    assert!(Rc::ptr_eq(&deeper, &child(&mut cache, &deeper, "fourth")));
}

#[test]
fn beyond_the_limit_calls_share_a_path_and_known_ones_keep_theirs() {
    let mut cache = cache_by(Naming { max_paths: 2, ..Naming::default() });
    let root = cache.root(&name("A:root"));
    let leaf = child(&mut cache, &root, "leaf");
    let other = child(&mut cache, &root, "other");
    assert_eq!(other.text(), "(overflow)");
    assert!(Rc::ptr_eq(&other, &child(&mut cache, &other, "leaf")));
    assert!(Rc::ptr_eq(&other, &cache.root(&name("B:root"))));
    assert!(Rc::ptr_eq(&leaf, &child(&mut cache, &root, "leaf")));
    assert_eq!(cache.counts(), (2, 2));
}

#[test]
fn the_cache_gives_the_same_path_for_the_same_parent_and_name() {
    let mut cache = PathCache::new(100);
    let root = cache.root(&name("A:root"));
    let first = child(&mut cache, &root, "leaf");
    let again = child(&mut cache, &root, "leaf");
    assert!(Rc::ptr_eq(&first, &again));
    assert!(Rc::ptr_eq(&root, &cache.root(&name("A:root"))));
    let other_root = cache.root(&name("B:root"));
    let elsewhere = child(&mut cache, &other_root, "leaf");
    assert!(!Rc::ptr_eq(&first, &elsewhere));
    assert_eq!(elsewhere.text(), "B:root.leaf");
    assert!(Rc::ptr_eq(&elsewhere, &child(&mut cache, &other_root, "leaf")));
}

#[test]
fn names_with_one_hash_are_still_told_apart() {
    let mut cache = PathCache::new(100);
    let root = cache.root(&name("A:root"));
    let first = cache.child(&root, &name("one"), 42);
    let second = cache.child(&root, &name("two"), 42);
    assert_eq!(first.text(), "A:root.one");
    assert_eq!(second.text(), "A:root.two");
    assert_eq!(cache.child(&root, &name("one"), 42).text(), "A:root.one");
}

#[test]
fn a_full_cache_starts_anew_and_old_paths_stay_what_they_were() {
    let mut cache = PathCache::new(10);
    let root = cache.root(&name("A:root"));
    let kept: Vec<_> =
        (0..1000).map(|index| child(&mut cache, &root, &format!("leaf{index}"))).collect();
    let cached = kept.iter().filter(|path| Rc::strong_count(path) > 1).count();
    assert!((1..=10).contains(&cached), "{cached} paths cached");
    for (index, path) in kept.iter().enumerate() {
        assert_eq!(path.text(), format!("A:root.leaf{index}"));
    }
    let ids: HashSet<u64> = kept.iter().map(|path| path.id()).collect();
    assert_eq!(ids.len(), kept.len());
}

#[test]
fn a_path_as_deep_as_any_recursion_is_written_and_dropped_without_recursion() {
    let mut path = Path::literal("A:root");
    for _ in 0..1_000_000 {
        path = path.child(name("f"));
    }
    assert_eq!(path.text().len(), "A:root".len() + 2 * 1_000_000);
    drop(path);
}

#[test]
fn dropping_the_end_of_a_chain_keeps_what_others_hold() {
    let root = Path::literal("A:root");
    let middle = root.child(name("middle"));
    drop(middle.child(name("leaf")));
    assert_eq!(middle.text(), "A:root.middle");
}

proptest! {
    #[test]
    fn the_text_is_that_of_joined_names(names in proptest::collection::vec("[a-z_<>]{1,8}", 1..20)) {
        let mut cache = PathCache::new(64);
        let mut path = cache.root(&name(&names[0]));
        for text in &names[1..] {
            path = child(&mut cache, &path, text);
        }
        prop_assert_eq!(path.text(), names.join("."));
    }
}
