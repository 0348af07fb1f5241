//! Counts what is allocated, so that "allocates nothing" is a figure and not a claim.

#![expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it hands on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The system's allocator with a counter before it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNTED: AtomicU64 = AtomicU64::new(0);

/// Allocations so far.
pub(crate) fn counted() -> u64 {
    COUNTED.load(Relaxed)
}

/// Benchmarks have one thread. A load and a store cost nothing to speak of; an atomic addition
/// would charge the contestants that allocate some nanoseconds each time.
fn count() {
    COUNTED.store(COUNTED.load(Relaxed) + 1, Relaxed);
}

// SAFETY: every call goes to `System` as it came in; counting touches one static and nothing else.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}
