//! Call paths: which series count each, and how often it was called for one call of its root.

use std::collections::HashMap;
use std::sync::Arc;

/// The place of a series that counts no calls.
pub(crate) const NO_PATH: u32 = u32::MAX;

/// Where the calls of a series belong: the place of its path, and whether they failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathOf {
    pub(crate) path: u32,
    pub(crate) failed: bool,
}

impl PathOf {
    pub(crate) const NONE: Self = Self { path: NO_PATH, failed: false };
}

/// One path's calls since its root last ended.
#[derive(Debug)]
struct Run {
    root: u32,
    calls: u32,
    /// The most calls for one call of the root: since that was last taken, and before.
    largest: u32,
    largest_before: u32,
    /// The mark of the root when `calls` began.
    since: u64,
    /// Of a root: rises with each of its ends.
    mark: u64,
}

#[derive(Debug)]
struct Name {
    job: u32,
    text: Arc<str>,
}

/// The paths of all jobs. Places are given in order, and stay.
///
/// Some 110 bytes each, and the name.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    runs: Vec<Run>,
    names: Vec<Name>,
    by_name: HashMap<(u32, Arc<str>), u32>,
    /// Given as marks.
    marks: u64,
    /// The worker whose records came last, and the mark since when. What came from another one
    /// before belongs to other calls of the root.
    worker: u64,
    worker_mark: u64,
}

impl Paths {
    /// The place of a path, such as `Orders:get.load`, and that of its root.
    pub(crate) fn enter(&mut self, job: u32, name: &str) -> u32 {
        let root = root_of(name);
        let root = if root.len() < name.len() { self.enter_one(job, root, None) } else { NO_PATH };
        self.enter_one(job, name, (root != NO_PATH).then_some(root))
    }

    fn enter_one(&mut self, job: u32, name: &str, root: Option<u32>) -> u32 {
        let text: Arc<str> = name.into();
        if let Some(place) = self.by_name.get(&(job, Arc::clone(&text))) {
            return *place;
        }
        let place = u32::try_from(self.runs.len()).unwrap_or(NO_PATH);
        let root = root.unwrap_or(place);
        self.runs.push(Run {
            root,
            calls: 0,
            largest: 0,
            largest_before: 0,
            since: u64::MAX,
            mark: 0,
        });
        self.names.push(Name { job, text: Arc::clone(&text) });
        self.by_name.insert((job, text), place);
        place
    }

    /// Says whose records come next. What names no worker may come from another each time.
    pub(crate) fn begin(&mut self, worker: u64, is_known: bool) {
        if worker != self.worker || !is_known {
            self.worker = worker;
            self.marks += 1;
            self.worker_mark = self.marks;
        }
    }

    /// Notes a call. The records of a root's call come one after the other, its own at their end.
    #[inline]
    pub(crate) fn note(&mut self, path: u32) {
        let Some(run) = self.runs.get(path as usize) else { return };
        let (root, since) = (run.root, run.since);
        if root == path {
            self.marks += 1;
            let mark = self.marks;
            let run = &mut self.runs[path as usize];
            run.mark = mark;
            run.largest = 1;
            return;
        }
        let mark = self.runs[root as usize].mark.max(self.worker_mark);
        let run = &mut self.runs[path as usize];
        if since == mark {
            run.calls = run.calls.saturating_add(1);
        } else {
            run.since = mark;
            run.calls = 1;
        }
        run.largest = run.largest.max(run.calls);
    }

    /// The most calls for one call of the root since the last time that this was asked.
    pub(crate) fn take_largest(&mut self, path: u32) -> u32 {
        let Some(run) = self.runs.get_mut(path as usize) else { return 0 };
        run.largest_before = run.largest_before.max(run.largest);
        std::mem::take(&mut run.largest)
    }

    /// The most calls for one call of the root since the start.
    pub(crate) fn largest_ever(&self, path: u32) -> u32 {
        self.runs.get(path as usize).map_or(0, |run| run.largest.max(run.largest_before))
    }

    /// Jobs and names, in the order of places.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = (u32, &Arc<str>)> {
        self.names.iter().map(|name| (name.job, &name.text))
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        let fixed = size_of::<Run>() + size_of::<Name>() + size_of::<((u32, Arc<str>), u32)>();
        self.names.iter().map(|name| fixed + name.text.len()).sum()
    }
}

/// What stands between the names of a path of qualified ones: `Orders.get > Database.query`.
const QUALIFIED: &str = " > ";

/// The path of the caller, and the name of the call: `Orders:get` and `load` of `Orders:get.load`;
/// `None` for a root.
pub(crate) fn caller_of(path: &str) -> Option<(&str, &str)> {
    if let Some(parts) = path.rsplit_once(QUALIFIED) {
        return Some(parts);
    }
    // Without an owner before a colon it is one qualified name, whose dots are its own.
    let owner = path.find(':')? + 1;
    let dot = owner + path[owner..].rfind('.')?;
    Some((&path[..dot], &path[dot + 1..]))
}

/// The beginning of a path up to its first call: `Orders:get` of `Orders:get.load`.
pub(crate) fn root_of(path: &str) -> &str {
    if let Some((root, _)) = path.split_once(QUALIFIED) {
        return root;
    }
    let Some(owner) = path.find(':').map(|colon| colon + 1) else { return path };
    path[owner..].find('.').map_or(path, |dot| &path[..owner + dot])
}
