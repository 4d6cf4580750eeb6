//! Files of dead processes, taken over a few at a time.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::disk::entry::HEAD_BYTES;
use crate::disk::scan::{Damage, Live};
use crate::disk::spool_file::{SpoolFile, failed, is_named_by, is_new};
use crate::process::locked_file::LockedFile;
use crate::process::user::effective_user;

/// Where to look, and for what.
pub(crate) struct Search {
    pub(crate) directory: PathBuf,
    /// Names the destination.
    pub(crate) target: String,
    /// Files that are this process's own already.
    pub(crate) known: HashSet<PathBuf>,
    /// Files of the last listing that were not looked at yet. If there are none, the directory is
    /// listed again.
    pub(crate) candidates: VecDeque<PathBuf>,
    /// How many files may be taken over.
    pub(crate) limit: usize,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) adopted: Vec<(SpoolFile, BTreeMap<u64, Live>)>,
    /// Files of which something cannot be read, in words.
    pub(crate) damaged: Vec<String>,
    /// Records that cannot be read.
    pub(crate) lost: u64,
    /// What could not be looked at, and why. It is tried again.
    pub(crate) refused: BTreeMap<PathBuf, String>,
    /// What the next search begins with.
    pub(crate) candidates: VecDeque<PathBuf>,
}

impl Search {
    /// Takes over files whose processes are dead; living ones have theirs locked.
    pub(crate) fn run(mut self) -> Found {
        let mut found = Found::default();
        if self.limit > 0
            && self.candidates.is_empty()
            && let Err(error) = self.list()
        {
            let text = format!("spool directory {}: {error}", self.directory.display());
            found.refused.insert(self.directory.clone(), text);
        }
        while found.adopted.len() < self.limit
            && let Some(path) = self.candidates.pop_front()
        {
            match take_over(&path, &mut found) {
                Ok(()) => {}
                // Its process, or another one that adopted it, has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    found.refused.insert(path.clone(), failed(&path, &error));
                    if is_out_of_descriptors(&error) {
                        // What there is of them is the program's.
                        self.candidates.clear();
                    }
                }
            }
        }
        found.candidates = self.candidates;
        found
    }

    fn list(&mut self) -> io::Result<()> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| is_named_by(&name, &self.target))
                && !self.known.contains(&path)
            {
                paths.push(path);
            }
        }
        // Names begin with the process id, so this is roughly the order in which processes started.
        paths.sort();
        self.candidates = paths.into();
        Ok(())
    }
}

fn take_over(path: &Path, found: &mut Found) -> io::Result<()> {
    let data = fs::symlink_metadata(path)?;
    if !data.is_file() {
        return Ok(());
    }
    refuse_foreign(&data)?;
    let Some(locked) = LockedFile::open(path)? else { return Ok(()) };
    // The file that was opened counts, not the one that was looked at.
    let data = locked.file().metadata()?;
    refuse_foreign(&data)?;
    if is_new(&path.to_string_lossy()) && data.len() <= HEAD_BYTES as u64 {
        return fs::remove_file(path);
    }
    let (file, messages, damage) = SpoolFile::of_dead(path, locked)?;
    let is_empty = messages.is_empty();
    if let Some(damage) = damage {
        let readable: u64 = messages.values().map(|live| u64::from(live.envelope.records)).sum();
        found.lost += damage.lost;
        found.damaged.push(in_words(path, damage, readable, data.len()));
    }
    if is_empty {
        file.delete();
    } else {
        found.adopted.push((file, messages));
    }
    Ok(())
}

fn in_words(path: &Path, damage: Damage, readable: u64, size: u64) -> String {
    let lost = match damage {
        _ if size == 0 => "it is empty".to_owned(),
        Damage { lost, head_is_intact: true } => {
            format!("{lost} of {} records cannot be read", lost + readable)
        }
        Damage { head_is_intact: false, .. } if readable == 0 => "not a spool".to_owned(),
        Damage { lost, .. } => {
            format!("{lost} records or more cannot be read, {readable} can be")
        }
    };
    let rest = if readable > 0 { "the others are sent, then " } else { "" };
    failed(
        path,
        &format!("it is damaged: {lost}; {rest}it is kept under a name that ends in .damaged"),
    )
}

/// Others must not have this process send what they wrote.
fn refuse_foreign(data: &fs::Metadata) -> io::Result<()> {
    let own = effective_user();
    if data.uid() == own {
        return Ok(());
    }
    let text = format!("it belongs to user {}, not to {own}; left as it is", data.uid());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
