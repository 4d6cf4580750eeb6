//! Messages on disk, for outages longer than memory and for processes that die.
//!
//! | module       | concept |
//! |--------------|---------|
//! | `backend`    | a locked file as redb reads and writes it |
//! | `spool_file` | one file of messages |
//! | `spool`      | the file of this process and those of dead ones, worked on in the background |

mod backend;
pub(crate) mod spool;
pub(crate) mod spool_file;
