//! A file that one process holds locked, as the ground of a store.
//!
//! A lock belongs to an open file, which a forked child inherits: a child that lives on would
//! keep the file of a parent that died from being adopted. So the child lets go of it, in
//! the moment of the fork.

#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

use redb::StorageBackend;

/// Locked files at once that children let go of; more than that they inherit.
const SLOTS: usize = 64;
const FREE: RawFd = -1;

/// What is open and locked here. A slot is filled after opening and freed before closing, so
/// that what a child finds here is open.
static HELD: [AtomicI32; SLOTS] = [const { AtomicI32::new(FREE) }; SLOTS];

/// Open and locked.
#[derive(Debug)]
pub(super) struct LockedFile {
    file: File,
    slot: Option<usize>,
}

impl LockedFile {
    /// Opens and locks the file, for its owner only if it is made here. `None` if somebody
    /// else has it locked, or has removed it meanwhile. Links are not followed.
    pub(super) fn open(path: &Path, create: bool) -> io::Result<Option<Self>> {
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
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            HELD[slot].store(FREE, Ordering::SeqCst);
        }
    }
}

/// False if somebody else holds the lock.
fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open as long as `file` is.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
}

/// True if the path still leads to this file. Files are removed by whoever has them locked, so
/// what is true of a locked file stays true.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn take_slot(descriptor: RawFd) -> Option<usize> {
    HELD.iter().position(|slot| {
        slot.compare_exchange(FREE, descriptor, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    })
}

/// In a forked child: lets go of all files that the parent has locked.
///
/// Their descriptors stay taken, by nothing that could be harmed: structures inherited from
/// the parent, which nobody uses here, still believe that they own them.
pub(super) fn let_go_in_child() {
    if HELD.iter().all(|slot| slot.load(Ordering::SeqCst) == FREE) {
        return;
    }
    // SAFETY: these calls, and changes of atomics, are all that may be done between fork
    // and exec; the descriptors in the slots are open files of this module.
    unsafe {
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if nothing < 0 {
            return;
        }
        for slot in &HELD {
            let held = slot.swap(FREE, Ordering::SeqCst);
            if held != FREE {
                libc::dup2(nothing, held);
                libc::fcntl(held, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        libc::close(nothing);
    }
}

/// Nothing waits for the disk itself: what is written survives the process, and that is what
/// is asked for. A power cut may cost the file, which the next process then leaves alone.
impl StorageBackend for LockedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|data| data.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
