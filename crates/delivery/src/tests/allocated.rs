//! The memory that one thread has taken. That of the process is also of the tests beside.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

/// Bytes that the allocations of this thread took, less those that it freed, also for others.
pub(super) fn allocated() -> isize {
    BYTES.get()
}

/// What glibc takes for an allocation: eight bytes more, in steps of 16, 32 at least.
fn taken(size: usize) -> isize {
    (size + 8).next_multiple_of(16).max(32).cast_signed()
}

// SAFETY: all is done by the system's allocator; counting allocates nothing.
#[allow(clippy::undocumented_unsafe_blocks)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.set(BYTES.get() + taken(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - taken(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        BYTES.set(BYTES.get() - taken(layout.size()) + taken(size));
        unsafe { System.realloc(pointer, layout, size) }
    }
}
