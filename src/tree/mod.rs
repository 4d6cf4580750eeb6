//! The tree of calls as users see it, and which of its nodes is current.
//!
//! | module            | concept |
//! |-------------------|---------|
//! | `node`            | `MethodTreeNode`; its place in the forest of live calls, and the pool of nodes used again |
//! | `context`         | `Context`, the dotted context users see |
//! | `owner`           | which class or module a root call belongs to |
//! | `current`         | which node is current, in a `ContextVar` |
//! | `call_tree`       | root, current node, paths and number of waiting records of one profiler |
//! | `decorated_class` | whether an object is a decorated function |
//! | `attributes`      | attributes that users set on nodes and contexts |
//! | `path_strings`    | Python strings of paths, made once |

pub(crate) mod attributes;
pub(crate) mod call_tree;
pub(crate) mod context;
pub(crate) mod current;
pub(crate) mod decorated_class;
pub(crate) mod node;
pub(crate) mod owner;
pub(crate) mod path_strings;
