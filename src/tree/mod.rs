//! The tree of calls as users see it, and which of its nodes is current.
//!
//! | module            | concept |
//! |-------------------|---------|
//! | `node`            | `MethodTreeNode`; its place in the forest of live calls, and the pool of nodes used again |
//! | `context`         | `Context`, the dotted context users see |
//! | `owner`           | which class or module a root call belongs to |
//! | `current`         | which node is current, in a `ContextVar` |
//! | `cpython_context` | the mapping of the running context's variables, as CPython keeps it |
//! | `attributes`      | attributes that users set on nodes and contexts |
//! | `path_strings`    | Python strings of paths, made once |

pub(crate) mod attributes;
pub(crate) mod context;
pub(crate) mod cpython_context;
pub(crate) mod current;
pub(crate) mod node;
pub(crate) mod owner;
pub(crate) mod path_strings;
