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
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

const FREE: RawFd = -1;

/// The slots of the locked files of this process: a list that only grows, since a child must be
/// able to read it at any moment. Slots are used again.
static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(null_mut());

/// Holds a descriptor. A slot is filled after opening and freed before closing, so every
/// descriptor that a child finds here is open.
#[derive(Debug)]
struct Slot {
    descriptor: AtomicI32,
    /// Set before the slot is in the list, and never changed.
    next: Option<&'static Slot>,
}

/// A file that is open and locked.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    slot: &'static Slot,
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
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
        if !lock(&file)? {
            return Ok(None);
        }
        let slot = take_slot(file.as_raw_fd());
        let locked = Self { file, slot };
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

impl Drop for LockedFile {
    fn drop(&mut self) {
        self.slot.descriptor.store(FREE, Ordering::SeqCst);
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

fn slots() -> impl Iterator<Item = &'static Slot> {
    // SAFETY: what is in the list was leaked, so that it lives for ever.
    let first = unsafe { SLOTS.load(Ordering::SeqCst).as_ref() };
    std::iter::successors(first, |slot| slot.next)
}

fn take_slot(descriptor: RawFd) -> &'static Slot {
    let take = |slot: &&Slot| {
        let taken = &slot.descriptor;
        taken.compare_exchange(FREE, descriptor, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    };
    if let Some(slot) = slots().find(take) {
        return slot;
    }
    let slot = Box::leak(Box::new(Slot { descriptor: AtomicI32::new(descriptor), next: None }));
    let mut first = SLOTS.load(Ordering::SeqCst);
    loop {
        // SAFETY: as in `slots`.
        slot.next = unsafe { first.as_ref() };
        match SLOTS.compare_exchange(first, slot, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return slot,
            Err(other) => first = other,
        }
    }
}

/// In a forked child: releases all files that the parent has locked.
///
/// The descriptors themselves stay taken, by `/dev/null`: objects that the child inherited from
/// the parent, and never uses, still believe that they own them.
pub(crate) fn release_in_child() {
    if slots().all(|slot| slot.descriptor.load(Ordering::SeqCst) == FREE) {
        return;
    }
    // SAFETY: these calls, and changes of atomics, are all that may be done between fork
    // and exec; the descriptors in the slots are open files of this module.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null < 0 {
            return;
        }
        for slot in slots() {
            let locked = slot.descriptor.swap(FREE, Ordering::SeqCst);
            if locked != FREE {
                libc::dup2(null, locked);
                libc::fcntl(locked, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        libc::close(null);
    }
}
