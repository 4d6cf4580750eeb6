//! A file that one process holds locked.
//!
//! A lock belongs to an open file, which a forked child inherits: as long as such a child lived,
//! other processes could not take over the files of its parent after the parent's death. So the
//! child releases them at the moment of the fork.

#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

/// How many locked files at a time a child releases; it inherits those beyond.
const SLOTS: usize = 64;
const FREE: RawFd = -1;

/// The descriptors of the locked files of this process. A slot is filled after opening and freed
/// before closing, so every descriptor that a child finds here is open.
static LOCKED: [AtomicI32; SLOTS] = [const { AtomicI32::new(FREE) }; SLOTS];

/// A file that is open and locked.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    slot: Option<usize>,
}

impl LockedFile {
    /// Opens and locks the file; a new one is readable by its owner only. `None` if another
    /// process has it locked, or has removed it meanwhile. Symbolic links are not followed.
    pub(crate) fn open(path: &Path, create: bool) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        if !lock(&file)? || !is_at(&file, path) {
            return Ok(None);
        }
        let slot = take_slot(file.as_raw_fd());
        Ok(Some(Self { file, slot }))
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            LOCKED[slot].store(FREE, Ordering::SeqCst);
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

/// True if the path still leads to this file. Only the process that has a file locked removes it,
/// so the answer for a locked file stays true.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn take_slot(descriptor: RawFd) -> Option<usize> {
    LOCKED.iter().position(|slot| {
        slot.compare_exchange(FREE, descriptor, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    })
}

/// In a forked child: releases all files that the parent has locked.
///
/// The descriptors themselves stay taken, by `/dev/null`: objects that the child inherited from
/// the parent, and never uses, still believe that they own them.
pub(crate) fn release_in_child() {
    if LOCKED.iter().all(|slot| slot.load(Ordering::SeqCst) == FREE) {
        return;
    }
    // SAFETY: these calls, and changes of atomics, are all that may be done between fork
    // and exec; the descriptors in the slots are open files of this module.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null < 0 {
            return;
        }
        for slot in &LOCKED {
            let locked = slot.swap(FREE, Ordering::SeqCst);
            if locked != FREE {
                libc::dup2(null, locked);
                libc::fcntl(locked, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        libc::close(null);
    }
}
