//! Descriptors that a forked child must not keep.
//!
//! A lock or a socket belongs to an open file, which a forked child inherits: as long as such a
//! child lived, the locks of its dead parent would be held, its port be taken, and whoever is
//! connected to it would not learn of its death. So the child lets go of them at the moment of the
//! fork. `os.register_at_fork` would not do: see `fork`.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

const FREE: RawFd = -1;
/// The slot is being filled in.
const TAKEN: RawFd = -2;
/// How long a fork waits for descriptors that are just being opened: a disk may not answer.
const OPENING_TIMEOUT: Duration = Duration::from_millis(100);

/// The slots of this process: a list that only grows, since a child must be able to read it at any
/// moment. Slots are used again.
static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(null_mut());

/// How many threads open a descriptor, and from [`FORK`] on how many fork. Only one of the two goes
/// on at a time; threads that open never wait for each other, as one may be at a disk that hangs.
static OPENING: AtomicU32 = AtomicU32::new(0);
const FORK: u32 = 1 << 16;

thread_local! {
    /// This thread forks, and is counted.
    static FORKING: Cell<bool> = const { Cell::new(false) };
}

/// Holds a descriptor, and which file it leads to: once the descriptor is closed, its number may be
/// that of another file.
#[derive(Debug)]
struct Slot {
    descriptor: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
    /// Set before the slot is in the list, and never changed.
    next: Option<&'static Slot>,
}

/// Notes a descriptor for as long as it lives; it need not end before the descriptor is closed.
#[derive(Debug)]
pub struct Unshared {
    slot: &'static Slot,
}

impl Unshared {
    /// Notes a descriptor. One that was opened before [`opening`] may be in a child already.
    pub fn new(file: &impl AsFd) -> Self {
        let descriptor = file.as_fd().as_raw_fd();
        let slot = take_slot();
        let (device, inode) = identity(descriptor).unwrap_or_default();
        slot.device.store(device, Ordering::SeqCst);
        slot.inode.store(inode, Ordering::SeqCst);
        slot.descriptor.store(descriptor, Ordering::SeqCst);
        Self { slot }
    }
}

impl Drop for Unshared {
    fn drop(&mut self) {
        self.slot.descriptor.store(FREE, Ordering::SeqCst);
    }
}

/// No fork begins while this lives, which should be for an instant.
#[derive(Debug)]
pub struct Opening(());

/// To be held while a descriptor is opened and noted.
pub fn opening() -> Opening {
    let begin = |count: u32| (count < FORK).then_some(count + 1);
    while OPENING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, begin).is_err() {
        // A fork takes no longer than the system call.
        yield_now();
    }
    Opening(())
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Before a fork, on the thread that forks.
pub(crate) fn before_fork() {
    let begin = Instant::now();
    OPENING.fetch_add(FORK, Ordering::SeqCst);
    FORKING.set(true);
    while OPENING.load(Ordering::SeqCst) & (FORK - 1) != 0 && begin.elapsed() < OPENING_TIMEOUT {
        yield_now();
    }
}

/// After a fork, on the thread that forked.
pub(crate) fn in_parent() {
    if FORKING.replace(false) {
        OPENING.fetch_sub(FORK, Ordering::SeqCst);
    }
}

/// In a forked child: lets go of what the parent has noted.
///
/// The descriptors themselves stay taken, by `/dev/null`: objects that the child inherited from
/// the parent, and never uses, still believe that they own them.
pub(crate) fn in_child() {
    FORKING.set(false);
    // The threads that opened something are not in this process.
    OPENING.store(0, Ordering::SeqCst);
    if slots().all(|slot| slot.descriptor.load(Ordering::SeqCst) < 0) {
        return;
    }
    // SAFETY: these calls, and changes of atomics, are all that may be done between fork
    // and exec; a descriptor that is replaced leads to the file that it was noted for.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null < 0 {
            return;
        }
        for slot in slots() {
            let descriptor = slot.descriptor.swap(FREE, Ordering::SeqCst);
            let noted = (slot.device.load(Ordering::SeqCst), slot.inode.load(Ordering::SeqCst));
            if descriptor >= 0 && identity(descriptor) == Some(noted) {
                libc::dup2(null, descriptor);
                libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        libc::close(null);
    }
}

/// The device and the number of the file that a descriptor leads to; `None` if it is closed.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion, clippy::cast_sign_loss)]
fn identity(descriptor: RawFd) -> Option<(u64, u64)> {
    let mut data = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `fstat` fills in what it is given, if it succeeds.
    let data = unsafe {
        if libc::fstat(descriptor, data.as_mut_ptr()) != 0 {
            return None;
        }
        data.assume_init()
    };
    Some((data.st_dev as u64, data.st_ino as u64))
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    // SAFETY: what is in the list was leaked, so that it lives for ever.
    let first = unsafe { SLOTS.load(Ordering::SeqCst).as_ref() };
    std::iter::successors(first, |slot| slot.next)
}

fn take_slot() -> &'static Slot {
    let take = |slot: &&Slot| {
        let taken = &slot.descriptor;
        taken.compare_exchange(FREE, TAKEN, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    };
    if let Some(slot) = slots().find(take) {
        return slot;
    }
    let slot = Box::leak(Box::new(Slot {
        descriptor: AtomicI32::new(TAKEN),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        next: None,
    }));
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_number_that_is_another_files_is_told_apart() {
        let one = File::open("/proc/self/status").expect("a file");
        let noted = identity(one.as_raw_fd()).expect("open");
        let unshared = Unshared::new(&one);
        let number = one.as_raw_fd();
        assert_eq!(unshared.slot.descriptor.load(Ordering::SeqCst), number);
        drop(one);
        assert_ne!(identity(number), Some(noted), "closed, or another file by now");
    }

    #[test]
    fn opening_waits_for_no_other_and_a_fork_not_for_ever() {
        let at_a_disk_that_hangs = opening();
        drop(opening());
        before_fork();
        in_parent();
        drop(at_a_disk_that_hangs);
        drop(opening());
    }

    #[test]
    fn slots_are_used_again() {
        let file = File::open("/dev/null").expect("a file");
        for _ in 0..100 {
            drop(Unshared::new(&file));
        }
        // Other tests of this process have some too.
        assert!(slots().count() < 100);
    }
}
