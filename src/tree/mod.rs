//! The tree of live calls as users see it, and its current node.
//!
//! | module            | concept |
//! |-------------------|---------|
//! | `decorated_class` | whether an object is a decorated function |
//! | `path_strings`    | paths as Python strings, made once |
//! | `attributes`      | attributes that users set on nodes and contexts |
//! | `owner`           | the class or module that a root call belongs to |
//! | `qualified`       | names of functions with their classes |
//! | `context`         | `Context`: the dotted context of a node |
//! | `node`            | `MethodTreeNode`: a call; its place in the tree, its pool |
//! | `by_turns`        | which node is current after calls that run by turns |
//! | `current`         | the current node, in a `ContextVar` |
//! | `call_tree`       | what metrics use of a profiler: root, current node, paths, counts |

pub(crate) mod attributes;
mod by_turns;
pub(crate) mod call_tree;
pub(crate) mod context;
pub(crate) mod current;
pub(crate) mod decorated_class;
pub(crate) mod node;
pub(crate) mod owner;
pub(crate) mod path_strings;
pub(crate) mod qualified;
