//! Files that the user alone can read, and that a forked child does not keep.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use phanos_delivery::{Unshared, opening};

/// Opens a file, which is made if it is not there. Symbolic links are not followed.
///
/// # Errors
/// Those of the system.
pub(crate) fn open(path: &Path) -> io::Result<(File, Unshared)> {
    let _opening = opening();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let unshared = Unshared::new(&file);
    Ok((file, unshared))
}
