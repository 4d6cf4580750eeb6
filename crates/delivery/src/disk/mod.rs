//! Messages on disk, for outages longer than memory and for processes that die.
//!
//! | module       | concept |
//! |--------------|---------|
//! | `checksum`   | sums by which damaged bytes are known |
//! | `entry`      | how messages are written into a file |
//! | `scan`       | what is in a file, and what was and cannot be read |
//! | `spool_file` | one file of messages |
//! | `adopt`      | files of dead processes, taken over a few at a time |
//! | `directory`  | whether a directory will do |
//! | `spool`      | the files of this process and those of dead ones, worked on in the background |

pub(crate) mod adopt;
mod checksum;
pub(crate) mod directory;
pub(crate) mod entry;
pub(crate) mod scan;
pub(crate) mod spool;
pub(crate) mod spool_file;
