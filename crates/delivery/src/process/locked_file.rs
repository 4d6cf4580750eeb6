//! A file that one process holds locked.
//!
//! A forked child lets go of it at the moment of the fork: see `unshared`.

#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::process::unshared::{Unshared, opening};

/// A file that is open and locked.
#[derive(Debug)]
pub(crate) struct LockedFile {
    _unshared: Unshared,
    file: File,
}

impl LockedFile {
    /// Opens and locks a file. `None` if another process has it locked, or has removed it
    /// meanwhile. Symbolic links are not followed.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        Self::open_as(path, OpenOptions::new().read(true).write(true))
    }

    /// The same with a new file, which its owner alone can read.
    pub(crate) fn create(path: &Path) -> io::Result<Option<Self>> {
        Self::open_as(path, OpenOptions::new().read(true).write(true).create_new(true).mode(0o600))
    }

    fn open_as(path: &Path, options: &mut OpenOptions) -> io::Result<Option<Self>> {
        let opening = opening();
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
        if !lock(&file)? {
            return Ok(None);
        }
        let locked = Self { _unshared: Unshared::new(&file), file };
        drop(opening);
        Ok(locked.is_at(path).then_some(locked))
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// True if the path leads to this file. Other processes of this package leave locked files
    /// where they are.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        match (self.file.metadata(), fs::symlink_metadata(path)) {
            (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
            _ => false,
        }
    }
}

/// False if another process holds the lock.
fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open as long as `file` is.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
}
