//! The paths of a process, each made once, and the rules by which they are made.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use crate::path::Path;

/// Paths by (parent, name). Bounded: a full cache forgets all of them, so a program that keeps
/// making new names costs some re-interning, and no memory.
pub struct PathCache {
    paths: HashMap<(u64, u64), Rc<Path>, BuildHasherDefault<KeyHasher>>,
    limit: usize,
    naming: Naming,
    /// The path of calls that have none of their own.
    overflow: Rc<Path>,
    overflowed: u64,
}

/// How paths are made of names, and how many there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Names are qualified.
    pub qualified: bool,
    /// Names of methods have the class of the object that they are called on.
    pub by_class: bool,
    /// Calls of a function within itself share one path, which ends in `*`.
    pub folds: bool,
    /// Calls that are deeper share one path, below the deepest that has its own; 0: no limit.
    pub max_depth: u32,
    /// Calls whose paths would be more than so many share one; 0: no limit.
    pub max_paths: usize,
}

const DEEPER: &str = "(deeper)";
const OVERFLOW: &str = "(overflow)";

impl PathCache {
    /// At most `limit` paths are remembered.
    pub fn new(limit: usize) -> Self {
        Self {
            paths: HashMap::default(),
            limit,
            naming: Naming::default(),
            overflow: Path::literal(OVERFLOW),
            overflowed: 0,
        }
    }

    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// Makes paths by `naming` from now on; those that were made so far are forgotten.
    pub fn set_naming(&mut self, naming: Naming) {
        self.naming = naming;
        self.paths = HashMap::default();
        self.overflowed = 0;
    }

    /// How many paths there are, and how often a path was not made because of the limit.
    pub fn counts(&self) -> (usize, u64) {
        (self.paths.len(), self.overflowed)
    }

    /// The path of a root call named `text`.
    pub fn root(&mut self, text: &Arc<str>) -> Rc<Path> {
        let empty = Path::literal("");
        self.child(&empty, text, hash_name(text))
    }

    /// The path of `name` under `parent`. `hash` is [`hash_name`]`(name)`; the caller keeps it.
    pub fn child(&mut self, parent: &Rc<Path>, name: &Arc<str>, hash: u64) -> Rc<Path> {
        if self.naming == Naming::default() {
            return self.intern(parent, name, hash);
        }
        if Rc::ptr_eq(parent, &self.overflow) {
            return Rc::clone(parent);
        }
        if self.naming.folds
            && let Some(folded) = self.folded(parent, name)
        {
            return folded;
        }
        let most = self.naming.max_depth;
        if most == 0 || parent.depth < most || parent.is_empty() {
            return self.limited(parent, name, hash);
        }
        if *parent.name == *DEEPER {
            return Rc::clone(parent);
        }
        self.limited(parent, &DEEPER.into(), hash_name(DEEPER))
    }

    /// The path of a call of the function that `parent` is a call of already.
    fn folded(&mut self, parent: &Rc<Path>, name: &Arc<str>) -> Option<Rc<Path>> {
        // Without the owner, which stands in front of a root.
        let is_owned = parent.parent.is_none() && !parent.qualified;
        let last = match parent.name.rsplit_once(':') {
            Some((_, last)) if is_owned => last,
            _ => &parent.name,
        };
        if last.strip_suffix('*') == Some(name) {
            return Some(Rc::clone(parent));
        }
        if last != &**name {
            return None;
        }
        let starred: Arc<str> = format!("{}*", parent.name).into();
        let hash = hash_name(&starred);
        let above = parent.parent.clone().unwrap_or_else(|| Path::literal(""));
        Some(self.limited(&above, &starred, hash))
    }

    /// The path of `name` under `parent`, unless there are too many already.
    fn limited(&mut self, parent: &Rc<Path>, name: &Arc<str>, hash: u64) -> Rc<Path> {
        let most = self.naming.max_paths;
        if most == 0
            || self.paths.len() < most
            || self.paths.contains_key(&(parent_id(parent), hash))
        {
            return self.intern(parent, name, hash);
        }
        self.overflowed += 1;
        Rc::clone(&self.overflow)
    }

    fn intern(&mut self, parent: &Rc<Path>, name: &Arc<str>, hash: u64) -> Rc<Path> {
        let qualified = self.naming.qualified;
        let make = |name| {
            if parent.is_empty() {
                Path::without_parent(name, qualified)
            } else {
                parent.child(name)
            }
        };
        let key = (parent_id(parent), hash);
        if let Some(known) = self.paths.get(&key) {
            if *known.name == **name {
                return Rc::clone(known);
            }
            // Two names with one 64-bit hash: correct, merely not cached.
            return make(Arc::clone(name));
        }
        if self.paths.len() >= self.limit {
            self.paths = HashMap::default();
        }
        let path = make(Arc::clone(name));
        self.paths.insert(key, Rc::clone(&path));
        path
    }
}

/// All empty contexts are one parent: each tree has a root of its own.
fn parent_id(parent: &Path) -> u64 {
    if parent.is_empty() { 0 } else { parent.id() }
}

/// The hash under which [`PathCache`] files a name (FNV-1a, 64 bits).
pub fn hash_name(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Keys are an id and a hash already: one multiplication mixes them well enough.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}
