//! The tree of live calls: an arena of linked nodes.
//!
//! Adding and removing touch a fixed number of neighbours, whatever the width or depth of
//! the tree, so overlapping tasks cost what sequential calls cost. A node that is removed
//! hands its children up to its parent, as a call that outlives its caller expects.

/// The name of a node. Serials are never reused, so the id of a removed node never names
/// another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId {
    index: u32,
    serial: u64,
}

const NONE: u32 = u32::MAX;

struct Slot<T> {
    /// The serial of the node in this slot; in a free slot, of the node that was in it last.
    serial: u64,
    parent: u32,
    first_child: u32,
    last_child: u32,
    previous: u32,
    /// The next sibling; in a free slot, the next free slot.
    next: u32,
    /// `None` in free slots only.
    value: Option<T>,
}

/// Any number of trees in one arena; a node without a parent is the root of its own tree.
pub struct Forest<T> {
    slots: Vec<Slot<T>>,
    first_free: u32,
    live: usize,
    next_serial: u64,
}

impl<T> Default for Forest<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), first_free: NONE, live: 0, next_serial: 0 }
    }
}

/// An empty arena with more slots than this gives its memory back.
const KEPT_SLOTS: usize = 1024;

impl<T> Forest<T> {
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of live nodes.
    pub fn len(&self) -> usize {
        self.live
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Adds a node without a parent.
    ///
    /// # Panics
    /// With 2^32 - 1 nodes live.
    pub fn insert(&mut self, value: T) -> NodeId {
        let serial = self.next_serial;
        self.next_serial += 1;
        self.live += 1;
        if let Some(slot) = self.slots.get_mut(self.first_free as usize) {
            let index = std::mem::replace(&mut self.first_free, slot.next);
            slot.next = NONE;
            slot.value = Some(value);
            slot.serial = serial;
            return NodeId { index, serial };
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 live nodes");
        assert!(index != NONE, "fewer than 2^32 live nodes");
        self.slots.push(Slot {
            serial,
            parent: NONE,
            first_child: NONE,
            last_child: NONE,
            previous: NONE,
            next: NONE,
            value: Some(value),
        });
        NodeId { index, serial }
    }

    /// Adds a node as the last child of `parent`; gives `value` back if that one is gone.
    pub fn insert_under(&mut self, parent: NodeId, value: T) -> Result<NodeId, T> {
        if !self.contains(parent) {
            return Err(value);
        }
        let id = self.insert(value);
        self.link(parent.index, id.index);
        Ok(id)
    }

    /// Makes `child` the last child of `parent`, taking it from where it was.
    /// False, and nothing done, if either is gone or `child` is an ancestor of `parent`.
    pub fn append(&mut self, parent: NodeId, child: NodeId) -> bool {
        if !self.contains(parent) || !self.contains(child) {
            return false;
        }
        let mut ancestor = parent.index;
        while ancestor != NONE {
            if ancestor == child.index {
                return false;
            }
            ancestor = self.slots[ancestor as usize].parent;
        }
        self.unlink(child.index);
        self.link(parent.index, child.index);
        true
    }

    /// Takes a node, with all below it, from under its parent: it becomes a root.
    /// False, and nothing done, if it is none's child.
    pub fn detach(&mut self, child: NodeId) -> bool {
        let is_child = self.parent(child).is_some();
        if is_child {
            self.unlink(child.index);
        }
        is_child
    }

    /// Removes a node; its children become the last children of its parent, or roots.
    pub fn remove(&mut self, id: NodeId) -> Option<T> {
        if !self.contains(id) {
            return None;
        }
        let parent = self.slots[id.index as usize].parent;
        self.unlink(id.index);
        let mut child = self.slots[id.index as usize].first_child;
        while child != NONE {
            let following = self.slots[child as usize].next;
            let moved = &mut self.slots[child as usize];
            (moved.parent, moved.previous, moved.next) = (NONE, NONE, NONE);
            if parent != NONE {
                self.link(parent, child);
            }
            child = following;
        }
        let slot = &mut self.slots[id.index as usize];
        (slot.first_child, slot.last_child) = (NONE, NONE);
        let value = slot.value.take();
        slot.next = std::mem::replace(&mut self.first_free, id.index);
        self.live -= 1;
        self.shrink_if_empty();
        value
    }

    /// [`Self::remove`] for a node that has a parent; `None`, and nothing done, for others.
    pub fn remove_child(&mut self, id: NodeId) -> Option<T> {
        self.parent(id).and_then(|_| self.remove(id))
    }

    /// Removes a node with all its descendants.
    pub fn remove_tree(&mut self, id: NodeId) -> Vec<T> {
        let mut values = Vec::new();
        let mut waiting = vec![id];
        while let Some(next) = waiting.pop() {
            waiting.extend(self.children(next));
            values.extend(self.remove(next));
        }
        values
    }

    pub fn contains(&self, id: NodeId) -> bool {
        self.slots
            .get(id.index as usize)
            .is_some_and(|slot| slot.serial == id.serial && slot.value.is_some())
    }

    pub fn get(&self, id: NodeId) -> Option<&T> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.serial == id.serial { slot.value.as_ref() } else { None }
    }

    pub fn get_mut(&mut self, id: NodeId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.serial == id.serial { slot.value.as_mut() } else { None }
    }

    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        if !self.contains(id) {
            return None;
        }
        self.id_at(self.slots[id.index as usize].parent)
    }

    /// The children in the order in which they were added.
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        if self.contains(id) {
            let mut child = self.slots[id.index as usize].first_child;
            while let Some(child_id) = self.id_at(child) {
                found.push(child_id);
                child = self.slots[child as usize].next;
            }
        }
        found
    }

    fn id_at(&self, index: u32) -> Option<NodeId> {
        if index == NONE {
            return None;
        }
        Some(NodeId { index, serial: self.slots[index as usize].serial })
    }

    fn link(&mut self, parent: u32, child: u32) {
        let last = self.slots[parent as usize].last_child;
        self.slots[parent as usize].last_child = child;
        if last == NONE {
            self.slots[parent as usize].first_child = child;
        } else {
            self.slots[last as usize].next = child;
        }
        let slot = &mut self.slots[child as usize];
        (slot.parent, slot.previous, slot.next) = (parent, last, NONE);
    }

    fn unlink(&mut self, index: u32) {
        let Slot { parent, previous, next, .. } = self.slots[index as usize];
        if parent == NONE {
            return;
        }
        if previous == NONE {
            self.slots[parent as usize].first_child = next;
        } else {
            self.slots[previous as usize].next = next;
        }
        if next == NONE {
            self.slots[parent as usize].last_child = previous;
        } else {
            self.slots[next as usize].previous = previous;
        }
        let slot = &mut self.slots[index as usize];
        (slot.parent, slot.previous, slot.next) = (NONE, NONE, NONE);
    }

    /// Gives the memory back that a burst of live calls has taken.
    fn shrink_if_empty(&mut self) {
        if self.slots.len() > KEPT_SLOTS && self.is_empty() {
            self.slots = Vec::new();
            self.first_free = NONE;
        }
    }
}
