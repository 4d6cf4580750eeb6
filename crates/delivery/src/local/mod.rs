//! Messages on a socket of this machine.
//!
//! | module  | concept |
//! |---------|---------|
//! | `frame` | how they look |

pub mod frame;
