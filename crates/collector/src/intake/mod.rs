//! Messages and the records in their bodies, whatever they came over.
//!
//! | module    | concept |
//! |-----------|---------|
//! | `message` | a message: who sent it, which one it is, its body |
//! | `reason`  | why a record, or a whole body, is not counted |
//! | `number`  | numbers of JSON |
//! | `text`    | text in JSON, borrowed where it can be |
//! | `kind`    | the kinds of metrics |
//! | `labels`  | the labels of a record |
//! | `value`   | what a record says of its metric |
//! | `record`  | a record, read by `serde_json` |
//! | `split`   | a record cut in two without being read: what repeats, and a number |
//! | `body`    | the records of a body, one after the other |

pub(crate) mod body;
pub(crate) mod kind;
pub(crate) mod labels;
pub(crate) mod message;
pub(crate) mod number;
pub(crate) mod reason;
pub(crate) mod record;
pub(crate) mod split;
pub(crate) mod text;
pub(crate) mod value;
