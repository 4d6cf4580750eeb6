//! The dotted context of a call: `Owner:root.child.leaf`.
//!
//! A path is a linked list towards its root, so making one for a call copies no text; the
//! text is written only where a record leaves the process. [`PathCache`] interns paths per
//! (parent, name), so a call that was seen before costs one look-up.
//!
//! Paths are counted by `Rc`, not `Arc`: an atomic count costs 20 to 30 ns a change, and a call
//! changes it four times. Records that go to another thread carry the text instead.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identities are never reused, so a stale cache entry can never match a new path.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One context. Two paths may have the same text; interning by [`PathCache`] makes that rare.
pub struct Path {
    id: u64,
    name: Arc<str>,
    parent: Option<Rc<Path>>,
    depth: u32,
    /// The whole text is printable ASCII: nothing in it can break a line.
    plain: bool,
    /// Where a table of texts keeps the text.
    slot: Cell<TextSlot>,
    /// Where a table of the extension keeps the text as Python strings.
    string_slot: Cell<TextSlot>,
}

/// Where a table of texts keeps a path's text. Each table has a serial number from 1, so the
/// default slot is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSlot {
    pub table: u64,
    pub index: u32,
}

impl Path {
    /// A path whose text is `text`; `""` is the context of a tree's root.
    pub fn literal(text: &str) -> Rc<Self> {
        Self::without_parent(text.into())
    }

    fn without_parent(name: Arc<str>) -> Rc<Self> {
        Self::new(name, None, 1, true)
    }

    fn new(name: Arc<str>, parent: Option<Rc<Self>>, depth: u32, parent_plain: bool) -> Rc<Self> {
        let plain = parent_plain && name.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Rc::new(Self {
            id,
            name,
            parent,
            depth,
            plain,
            slot: Cell::default(),
            string_slot: Cell::default(),
        })
    }

    /// The context of a call named `name` under this one. Under the empty context the
    /// name stands alone.
    pub fn child(self: &Rc<Self>, name: Arc<str>) -> Rc<Self> {
        if self.is_empty() {
            return Self::without_parent(name);
        }
        Self::new(name, Some(Rc::clone(self)), self.depth.saturating_add(1), self.plain)
    }

    /// Unique for the life of the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where the table of texts that last took this path keeps the text, so that the next record
    /// with this path need not copy it.
    pub fn slot(&self) -> &Cell<TextSlot> {
        &self.slot
    }

    /// The same for the extension's table of Python strings.
    pub fn string_slot(&self) -> &Cell<TextSlot> {
        &self.string_slot
    }

    /// True if the text is printable ASCII throughout.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// True for the context of a tree's root: no text at all.
    pub fn is_empty(&self) -> bool {
        self.parent.is_none() && self.name.is_empty()
    }

    /// Appends the whole text to `out`.
    pub fn write_text(&self, out: &mut String) {
        let Some(parent) = &self.parent else {
            out.push_str(&self.name);
            return;
        };
        // Not recursive: recursion in the profiled program makes paths as deep as its stack.
        let mut names = Vec::with_capacity(self.depth as usize);
        names.push(&*self.name);
        let mut ancestor = parent;
        loop {
            names.push(&ancestor.name);
            match &ancestor.parent {
                Some(next) => ancestor = next,
                None => break,
            }
        }
        let mut separator = "";
        for name in names.iter().rev() {
            out.push_str(separator);
            out.push_str(name);
            separator = ".";
        }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out);
        out
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        // Dropping a long chain link by link would recurse as deep as the chain.
        let mut ancestor = self.parent.take();
        while let Some(path) = ancestor {
            ancestor = Rc::into_inner(path).and_then(|mut owned| owned.parent.take());
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Path({:?})", self.text())
    }
}

/// The part of a context before its first `:`, which records carry as `item`.
pub fn item_of(context: &str) -> &str {
    context.split_once(':').map_or(context, |(item, _)| item)
}

/// Paths by (parent, name). Bounded: a full cache forgets all of them, so a program that keeps
/// making new names costs some re-interning, and no memory.
pub struct PathCache {
    paths: HashMap<(u64, u64), Rc<Path>, BuildHasherDefault<KeyHasher>>,
    limit: usize,
}

impl PathCache {
    /// At most `limit` paths are remembered.
    pub fn new(limit: usize) -> Self {
        Self { paths: HashMap::default(), limit }
    }

    /// The path of a root call named `text`.
    pub fn root(&mut self, text: &Arc<str>) -> Rc<Path> {
        let empty = Path::literal("");
        self.child(&empty, text, hash_name(text))
    }

    /// The path of `name` under `parent`. `hash` is [`hash_name`]`(name)`; the caller keeps it.
    pub fn child(&mut self, parent: &Rc<Path>, name: &Arc<str>, hash: u64) -> Rc<Path> {
        // All empty contexts are one parent: each tree has a root of its own.
        let parent_id = if parent.is_empty() { 0 } else { parent.id };
        let key = (parent_id, hash);
        if let Some(known) = self.paths.get(&key) {
            if *known.name == **name {
                return Rc::clone(known);
            }
            // Two names with one 64-bit hash: correct, merely not cached.
            return parent.child(Arc::clone(name));
        }
        if self.paths.len() >= self.limit {
            self.paths = HashMap::default();
        }
        let path = parent.child(Arc::clone(name));
        self.paths.insert(key, Rc::clone(&path));
        path
    }
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
