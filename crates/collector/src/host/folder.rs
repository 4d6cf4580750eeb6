//! Where the socket and the locks of processes are that share a port. The folder belongs to the
//! user, and no other user can reach what is in it.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use phanos_delivery::effective_user;

use crate::host::settings::HostSettings;

/// Bytes of a socket's path at most, its end included: a limit of Linux.
const MOST_PATH_BYTES: usize = 107;
/// The user that may do everything anyhow.
const ROOT: u32 = 0;

#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The same for all processes of a user that share a port.
    pub(crate) fn of(settings: &HostSettings) -> Self {
        let base = settings.runtime.clone().unwrap_or_else(base);
        Self(base.join(name(settings.listen)))
    }

    /// Locked, together with the others, by every process that sends.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Taken by the process that counts.
    pub(crate) fn leader(&self) -> PathBuf {
        self.0.join("leader")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    /// Counts of one run.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Makes the folder unless it is there.
    ///
    /// # Errors
    /// A sentence that names the folder, and says why it will not do.
    pub(crate) fn make(&self) -> Result<(), String> {
        let failed = |path: &Path, error: &dyn ToString| {
            format!("folder {}: {}", path.display(), error.to_string())
        };
        if self.socket().as_os_str().as_bytes().len() > MOST_PATH_BYTES {
            let text = format!("its path is too long for a socket ({MOST_PATH_BYTES} bytes)");
            return Err(failed(&self.0, &text));
        }
        let base = self.0.parent().unwrap_or(Path::new("/"));
        let above = base.parent().unwrap_or(Path::new("/"));
        check_above(above).map_err(|error| failed(above, &error))?;
        for folder in [base, &self.0] {
            make_private(folder).map_err(|error| failed(folder, &error))?;
        }
        Ok(())
    }

    /// Forgets the counts of a run whose processes have all ended.
    pub(crate) fn forget(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.state()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// `$XDG_RUNTIME_DIR`, which is the user's own and goes with the user's last session, or else a
/// folder of the user in the one for temporary files.
fn base() -> PathBuf {
    let user = effective_user();
    let given = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // `su` and `sudo` may leave another user's.
    let own = given.filter(|given| {
        given.is_absolute() && fs::metadata(given).is_ok_and(|data| data.uid() == user)
    });
    own.map_or_else(|| env::temp_dir().join(format!("phanos-{user}")), |own| own.join("phanos"))
}

/// The name of the folder of an address: `127.0.0.1-9464`.
fn name(listen: SocketAddr) -> String {
    format!("{}-{}", listen.ip(), listen.port()).replace(':', ".")
}

/// Others must not be able to put another folder in the place of the user's.
fn check_above(folder: &Path) -> io::Result<()> {
    let data = fs::metadata(folder)?;
    let is_sticky = data.mode() & 0o1000 != 0;
    let is_safe =
        [ROOT, effective_user()].contains(&data.uid()) && (is_sticky || data.mode() & 0o022 == 0);
    if is_safe { Ok(()) } else { Err(io::Error::other("other users may move what is in it")) }
}

fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let data = fs::symlink_metadata(folder)?;
    if !data.is_dir() {
        return Err(io::Error::other("something else is there"));
    }
    if data.uid() != effective_user() {
        return Err(io::Error::other("it is another user's"));
    }
    if data.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}
