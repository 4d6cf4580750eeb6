//! Whether a directory will do for a spool.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::disk::spool_file::make_private;
use crate::process::locked_file::LockedFile;
use crate::process::unique::unique_name;
use crate::process::user::effective_user;
use crate::settings::SpoolSettings;

const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// How many names are tried, if files have them already.
const TRIALS: u32 = 10;

/// Makes the directory if there is none, and tries it out. Returns what the user should know,
/// though it does.
///
/// # Errors
/// It will not do; the text names the directory and says why.
pub fn check_spool(settings: &SpoolSettings) -> Result<Vec<String>, String> {
    let directory = &*settings.directory;
    let named = |what: &dyn std::fmt::Display| format!("{}: {what}", directory.display());
    make_private(directory).map_err(|error| named(&format_args!("it cannot be made: {error}")))?;
    fs::read_dir(directory).map_err(|error| named(&format_args!("it cannot be read: {error}")))?;
    try_out(directory).map_err(|error| named(&error))?;
    let data = fs::metadata(directory).map_err(|error| named(&error))?;
    let mut warnings = Vec::new();
    let own = effective_user();
    if data.uid() != own && data.uid() != 0 {
        let owner = data.uid();
        warnings.push(named(&format_args!("it belongs to user {owner}, who can remove records")));
    } else if data.mode() & WRITABLE_BY_OTHERS != 0 && data.mode() & STICKY == 0 {
        let mode = data.mode() & 0o7777;
        warnings.push(named(&format_args!("others can remove records, its mode is {mode:o}")));
    }
    let free = free_bytes(directory).map_err(|error| named(&error))?;
    if free < settings.max_bytes {
        let wanted = settings.max_bytes;
        warnings.push(named(&format_args!("{free} bytes are free, spool_bytes is {wanted}")));
    }
    Ok(warnings)
}

/// Makes a file, locks and removes it.
fn try_out(directory: &Path) -> Result<(), String> {
    match make_trial_file(directory, unique_name) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error().is_some_and(cannot_lock) => {
            Err(format!("its file system locks no files: {error}"))
        }
        Err(error) => Err(format!("no file can be made in it: {error}")),
    }
}

/// Each file has a name of its own, and one that another process made is left alone: other threads
/// and processes try the directory out at the same time.
pub(crate) fn make_trial_file(
    directory: &Path,
    name: impl Fn() -> Box<str>,
) -> io::Result<Option<LockedFile>> {
    let mut tried = Ok(None);
    for _ in 0..TRIALS {
        let path = directory.join(format!(".phanos-check-{}", name()));
        tried = LockedFile::create(&path);
        if !matches!(&tried, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            let _ = fs::remove_file(&path);
            break;
        }
    }
    tried
}

fn cannot_lock(error: i32) -> bool {
    [libc::ENOLCK, libc::ENOSYS, libc::EOPNOTSUPP, libc::ENOTSUP].contains(&error)
}

fn free_bytes(directory: &Path) -> io::Result<u64> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let mut data = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string; `data` is written whole if the call succeeds.
    let data = unsafe {
        if libc::statvfs(path.as_ptr(), data.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        data.assume_init()
    };
    // The types of the fields differ between systems.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    Ok((data.f_bavail as u64).saturating_mul(data.f_frsize as u64))
}
