//! The dotted context of a call: `Owner:root.child.leaf`.
//!
//! A path is a linked list towards its root, so making one for a call copies no text; the
//! text is written only where a record leaves the process. `PathCache` interns paths per
//! (parent, name), so a call that was seen before costs one look-up.
//!
//! Paths are counted by `Rc`, not `Arc`: an atomic count costs 20 to 30 ns a change, and a call
//! changes it four times. Records that go to another thread carry the text instead.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identities are never reused, so a stale cache entry can never match a new path.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One context. Two paths may have the same text; interning by `PathCache` makes that rare.
pub struct Path {
    id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) parent: Option<Rc<Path>>,
    pub(crate) depth: u32,
    /// Names are qualified: they may have dots, and ` > ` is between them.
    pub(crate) qualified: bool,
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
        Self::without_parent(text.into(), false)
    }

    pub(crate) fn without_parent(name: Arc<str>, qualified: bool) -> Rc<Self> {
        Self::new(name, None, 1, true, qualified)
    }

    fn new(
        name: Arc<str>,
        parent: Option<Rc<Self>>,
        depth: u32,
        parent_plain: bool,
        qualified: bool,
    ) -> Rc<Self> {
        let plain = parent_plain && name.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Rc::new(Self {
            id,
            name,
            parent,
            depth,
            qualified,
            plain,
            slot: Cell::default(),
            string_slot: Cell::default(),
        })
    }

    /// The context of a call named `name` under this one. Under the empty context the
    /// name stands alone.
    pub fn child(self: &Rc<Self>, name: Arc<str>) -> Rc<Self> {
        if self.is_empty() {
            return Self::without_parent(name, false);
        }
        let depth = self.depth.saturating_add(1);
        Self::new(name, Some(Rc::clone(self)), depth, self.plain, self.qualified)
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
            separator = if self.qualified { ARROW } else { "." };
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

/// Between the calls of a path with qualified names.
const ARROW: &str = " > ";

/// What records of a path carry as `item`: the part before the first `:`, or of qualified names,
/// which have none, the root call.
pub fn item_of_path(text: &str) -> &str {
    let item = item_of(text);
    if item.len() < text.len() {
        return item;
    }
    text.split_once(ARROW).map_or(text, |(root, _)| root)
}

/// The part of a context before its first `:`, which records carry as `item`.
pub fn item_of(context: &str) -> &str {
    context.split_once(':').map_or(context, |(item, _)| item)
}
