//! Messages of processes on this machine, over a Unix socket.
//!
//! | module       | concept |
//! |--------------|---------|
//! | `lock`       | which process may listen, and which ones send |
//! | `place`      | where the socket is, and whom it belongs to |
//! | `connection` | one sender |
//! | `listener`   | all of them |

pub(crate) mod connection;
pub(crate) mod listener;
pub(crate) mod lock;
pub(crate) mod place;
