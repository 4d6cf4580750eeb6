//! A locked file as redb reads and writes it.

use std::io;
use std::os::unix::fs::FileExt;

use redb::StorageBackend;

use crate::process::locked_file::LockedFile;

/// No call waits for the disk itself: what is written survives the process, and no more is
/// promised. A power cut may damage the file, which the next process then leaves alone.
impl StorageBackend for LockedFile {
    fn len(&self) -> io::Result<u64> {
        self.file().metadata().map(|data| data.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file().read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file().set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file().write_all_at(data, offset)
    }
}
