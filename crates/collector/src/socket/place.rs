//! Where the socket is, and whom it belongs to.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use phanos_delivery::{Unshared, effective_user, opening};
use tokio::net::UnixListener;

/// A socket at `path`, which only this user can connect to. `is_ours`: whatever socket is there was
/// left by a process that is gone.
///
/// # Errors
/// A sentence that names the path, and says why there can be none.
pub(crate) fn bind(path: &Path, is_ours: bool) -> Result<(UnixListener, Unshared), String> {
    try_to_bind(path, is_ours).map_err(|error| format!("socket {}: {error}", path.display()))
}

fn try_to_bind(path: &Path, is_ours: bool) -> io::Result<(UnixListener, Unshared)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
    let data = fs::metadata(folder)?;
    if data.uid() != effective_user() || data.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "others may write to its folder {}, or it is another user's",
            folder.display()
        )));
    }
    remove_abandoned(path, is_ours)?;
    let opening = opening();
    let listener = UnixListener::bind(path)?;
    let unshared = Unshared::new(&listener);
    drop(opening);
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok((listener, unshared))
}

/// Removes a socket that no process listens at.
fn remove_abandoned(path: &Path, is_ours: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.file_type().is_socket() => {}
        Ok(_) => return Err(io::Error::other("something else is there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if is_ours {
        return fs::remove_file(path);
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::other("another process listens there")),
    }
}
