//! The arena of live calls, compared with a plain model.

use std::collections::HashMap;

use phanos_core::forest::{Forest, NodeId};
use proptest::prelude::*;

fn values(forest: &Forest<u32>, ids: &[NodeId]) -> Vec<u32> {
    ids.iter().map(|id| *forest.get(*id).expect("live")).collect()
}

#[test]
fn children_stand_in_the_order_in_which_they_came() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let first = forest.insert_under(root, 1).unwrap();
    forest.insert_under(root, 2).unwrap();
    forest.insert_under(first, 3).unwrap();
    assert_eq!(values(&forest, &forest.children(root)), [1, 2]);
    assert_eq!(values(&forest, &forest.children(first)), [3]);
    assert_eq!(forest.parent(first), Some(root));
    assert_eq!(forest.parent(root), None);
    assert_eq!(forest.len(), 4);
}

#[test]
fn children_of_a_removed_node_move_up_behind_their_new_siblings() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let caller = forest.insert_under(root, 1).unwrap();
    forest.insert_under(root, 2).unwrap();
    let inner = forest.insert_under(caller, 3).unwrap();
    forest.insert_under(caller, 4).unwrap();
    assert_eq!(forest.remove(caller), Some(1));
    assert_eq!(values(&forest, &forest.children(root)), [2, 3, 4]);
    assert_eq!(forest.parent(inner), Some(root));
}

#[test]
fn children_of_a_removed_root_become_roots() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let child = forest.insert_under(root, 1).unwrap();
    assert_eq!(forest.remove(root), Some(0));
    assert_eq!(forest.parent(child), None);
    assert_eq!(forest.get(child), Some(&1));
}

#[test]
fn an_id_never_names_another_node() {
    let mut forest = Forest::new();
    let first = forest.insert(1);
    forest.remove(first);
    let second = forest.insert(2);
    assert_ne!(first, second);
    assert_eq!(forest.get(first), None);
    assert_eq!(forest.get_mut(first), None);
    assert_eq!(forest.remove(first), None);
    assert!(!forest.contains(first));
    assert_eq!(forest.parent(first), None);
    assert!(forest.children(first).is_empty());
    assert_eq!(forest.insert_under(first, 3), Err(3));
    assert_eq!(forest.remove_child(first), None);
}

#[test]
fn only_a_node_with_a_parent_is_removed_as_a_child() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let child = forest.insert_under(root, 1).unwrap();
    assert_eq!(forest.remove_child(root), None);
    assert_eq!(forest.len(), 2);
    assert_eq!(forest.remove_child(child), Some(1));
    assert_eq!(forest.len(), 1);
    assert!(forest.children(root).is_empty());
}

#[test]
fn an_id_from_before_the_arena_shrank_names_nothing_afterwards() {
    let mut forest = Forest::new();
    let old: Vec<_> = (0..5000).map(|value| forest.insert(value)).collect();
    for id in &old {
        forest.remove(*id);
    }
    assert!(forest.is_empty());
    let new: Vec<_> = (0..5000).map(|value| forest.insert(value)).collect();
    assert!(old.iter().all(|id| !forest.contains(*id)));
    assert!(new.iter().all(|id| forest.contains(*id)));
}

#[test]
fn a_node_is_not_hung_below_itself() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let child = forest.insert_under(root, 1).unwrap();
    let grandchild = forest.insert_under(child, 2).unwrap();
    assert!(!forest.append(grandchild, root));
    assert!(!forest.append(child, child));
    assert!(forest.append(root, grandchild));
    assert_eq!(values(&forest, &forest.children(root)), [1, 2]);
    assert!(forest.children(child).is_empty());
}

#[test]
fn a_detached_node_keeps_what_is_below_it() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let child = forest.insert_under(root, 1).unwrap();
    let grandchild = forest.insert_under(child, 2).unwrap();
    let other = forest.insert_under(root, 3).unwrap();
    assert!(forest.detach(child));
    assert!(!forest.detach(child));
    assert!(!forest.detach(root));
    assert_eq!(forest.parent(child), None);
    assert_eq!(forest.children(root), [other]);
    assert_eq!(forest.children(child), [grandchild]);
    assert!(forest.append(other, child));
    forest.remove(grandchild);
    assert!(!forest.detach(grandchild));
}

#[test]
fn a_tree_is_taken_out_whole() {
    let mut forest = Forest::new();
    let root = forest.insert(0);
    let child = forest.insert_under(root, 1).unwrap();
    let mut deepest = child;
    for value in 2..100_000 {
        deepest = forest.insert_under(deepest, value).unwrap();
    }
    let mut taken = forest.remove_tree(child);
    taken.sort_unstable();
    assert_eq!(taken, (1..100_000).collect::<Vec<_>>());
    assert_eq!(forest.len(), 1);
}

/// The same operations on a map from node to parent and children.
#[derive(Default)]
struct Model {
    parent: HashMap<u32, Option<u32>>,
    children: HashMap<u32, Vec<u32>>,
}

impl Model {
    fn insert(&mut self, parent: Option<u32>, node: u32) {
        self.parent.insert(node, parent);
        self.children.insert(node, Vec::new());
        if let Some(parent) = parent {
            self.children.get_mut(&parent).expect("live").push(node);
        }
    }

    fn remove(&mut self, node: u32) {
        let parent = self.parent.remove(&node).expect("live");
        let orphans = self.children.remove(&node).expect("live");
        if let Some(parent) = parent {
            let siblings = self.children.get_mut(&parent).expect("live");
            siblings.retain(|sibling| *sibling != node);
            siblings.extend(&orphans);
        }
        for orphan in orphans {
            self.parent.insert(orphan, parent);
        }
    }
}

proptest! {
    #[test]
    fn any_sequence_leaves_the_tree_of_the_model(steps in proptest::collection::vec((0..3_u8, any::<u16>()), 1..400)) {
        let mut forest = Forest::new();
        let mut model = Model::default();
        let mut live: Vec<(u32, NodeId)> = Vec::new();
        for (value, (action, pick)) in (0_u32..).zip(steps) {
            let picked = (!live.is_empty()).then(|| usize::from(pick) % live.len());
            match (action, picked) {
                (0, Some(index)) => {
                    let (node, id) = live.swap_remove(index);
                    prop_assert_eq!(forest.remove(id), Some(node));
                    model.remove(node);
                }
                (1, Some(index)) => {
                    let (parent, id) = live[index];
                    live.push((value, forest.insert_under(id, value).unwrap()));
                    model.insert(Some(parent), value);
                }
                _ => {
                    live.push((value, forest.insert(value)));
                    model.insert(None, value);
                }
            }
        }
        prop_assert_eq!(forest.len(), live.len());
        for (node, id) in &live {
            prop_assert_eq!(&values(&forest, &forest.children(*id)), &model.children[node]);
            let parent = forest.parent(*id).map(|id| *forest.get(id).expect("live"));
            prop_assert_eq!(parent, model.parent[node]);
        }
    }
}
