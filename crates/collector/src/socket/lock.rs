//! Locks of processes that share a socket. They end with the process, however it ends; a forked
//! child does not keep them.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use phanos_delivery::{Unshared, opening};

use crate::private_file;

/// A lock that this process holds.
#[derive(Debug)]
pub(crate) struct Lock {
    _unshared: Unshared,
    _file: File,
}

impl Lock {
    /// The lock that one process can have; `None` if another has it.
    pub(crate) fn alone(path: &Path) -> io::Result<Option<Self>> {
        let (file, unshared) = private_file::open(path)?;
        let is_locked = succeeded(file.try_lock())?;
        Ok(is_locked.then_some(Self { _unshared: unshared, _file: file }))
    }

    /// A lock on a folder that many processes can have. `first` is called before by a process that
    /// is alone: none of the others lives any more. `None` while one of them does this.
    ///
    /// Programs that clear out temporary files leave alone what is in a folder that is locked.
    pub(crate) fn shared(
        folder: &Path,
        first: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Option<Self>> {
        let (file, unshared) = {
            let _opening = opening();
            let file = File::open(folder)?;
            let unshared = Unshared::new(&file);
            (file, unshared)
        };
        if succeeded(file.try_lock())? {
            first()?;
            // A process that comes in between finds nothing that matters yet.
            file.unlock()?;
        }
        let is_locked = succeeded(file.try_lock_shared())?;
        Ok(is_locked.then_some(Self { _unshared: unshared, _file: file }))
    }
}

/// False if another process has the lock.
fn succeeded(result: Result<(), TryLockError>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_process_is_alone_and_the_first_is_told_so() {
        let folder = std::env::temp_dir().join(format!("phanos-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let told = std::cell::Cell::new(0);
        let first = || {
            told.set(told.get() + 1);
            Ok(())
        };
        let join = || Lock::shared(&folder, first).expect("no error");
        let one = join().expect("alone");
        let other = join().expect("shared");
        assert_eq!(told.get(), 1);
        drop(one);
        drop(join());
        assert_eq!(told.get(), 1, "one of them is still there");
        drop(other);
        drop(join());
        assert_eq!(told.get(), 2);

        let path = folder.join("leader");
        let lock = Lock::alone(&path).expect("no error").expect("it is free");
        assert!(Lock::alone(&path).expect("no error").is_none());
        drop(lock);
        assert!(Lock::alone(&path).expect("no error").is_some());
        let _ = fs::remove_dir_all(&folder);
    }
}
