//! Threads that the end of the interpreter would unwind.
//!
//! Up to CPython 3.13 a daemon thread that asks for the interpreter lock once the interpreter ends
//! is ended by `pthread_exit`, and glibc unwinds its stack. Rust frames do not survive that: one
//! that would run a destructor, catch a panic or may not unwind aborts the process. Such a frame is
//! on the stack wherever this package calls the interpreter, since nearly anything can run code of
//! users there, be it by dropping a reference, comparing a label or making an object while the
//! collector is due.
//!
//! So the thread is parked for ever at the first such frame, as CPython 3.14 parks it by itself. The
//! unwinder asks a frame's personality function what there is to do, before anything is done, and
//! all of our frames name the same one by a word in our own data. [`park_unwound_threads`] puts
//! another function there, which parks on this kind of unwinding and else calls the first. That
//! costs calls nothing, and there is no place that could be forgotten. A frame that has nothing to
//! do names no such function: a stack of these alone is unwound, and its thread ends.
//!
//! Only glibc unwinds here: musl and macOS end a thread where it is.

#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
pub(crate) use unwinding::park_unwound_threads;

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
pub(crate) fn park_unwound_threads() {}

#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod unwinding {
    use std::arch::global_asm;
    use std::ffi::{c_int, c_void};
    use std::mem::transmute;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicPtr, Ordering};

    /// A personality function of the Itanium C++ ABI: version, actions, class of the exception, the
    /// exception, the frame.
    type Personality = unsafe extern "C" fn(c_int, c_int, u64, *mut c_void, *mut c_void) -> c_int;

    /// `_UA_FORCE_UNWIND`: the thread ends, or is cancelled. No exception of Rust or C++ sets it.
    const FORCED: c_int = 8;
    /// `_URC_FATAL_PHASE1_ERROR`.
    const FATAL: c_int = 3;

    // `DW.ref.rust_eh_personality` is how compilers on ELF name the word that the tables of all
    // Rust frames of one shared object refer to. The reference is weak, and null if a compiler names
    // it otherwise: daemon threads abort then as they did, and the tests say so.
    global_asm!(
        ".weak DW.ref.rust_eh_personality",
        ".pushsection .data.rel.ro.phanos_personality_word, \"aw\"",
        ".balign 8",
        ".globl phanos_personality_word",
        ".hidden phanos_personality_word",
        "phanos_personality_word:",
        ".8byte DW.ref.rust_eh_personality",
        ".popsection",
    );

    unsafe extern "C" {
        #[link_name = "phanos_personality_word"]
        static WORD: *const AtomicPtr<c_void>;
    }

    /// What the word held.
    static OF_RUST: OnceLock<Personality> = OnceLock::new();

    /// From now on, threads that end by unwinding are parked at the first frame of this shared
    /// object that has something to do.
    pub(crate) fn park_unwound_threads() {
        // SAFETY: set by the linker; null, or a word that is never freed.
        let Some(word) = (unsafe { ptr::read_volatile(&raw const WORD).as_ref() }) else { return };
        // SAFETY: the word holds a personality function. It is read once: afterwards it is ours.
        OF_RUST.get_or_init(|| unsafe {
            transmute::<*mut c_void, Personality>(word.load(Ordering::Relaxed))
        });
        word.store(park_or_unwind as *mut c_void, Ordering::Release);
    }

    unsafe extern "C" fn park_or_unwind(
        version: c_int,
        actions: c_int,
        class: u64,
        exception: *mut c_void,
        frame: *mut c_void,
    ) -> c_int {
        if actions & FORCED != 0 {
            loop {
                // SAFETY: it waits for a signal, and needs nothing of the thread.
                unsafe { libc::pause() };
            }
        }
        // SAFETY: the function that stood there before, and what the unwinder passes it.
        OF_RUST
            .get()
            .map_or(FATAL, |of_rust| unsafe { of_rust(version, actions, class, exception, frame) })
    }
}
