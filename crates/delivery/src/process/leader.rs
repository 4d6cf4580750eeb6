//! The end of a process whose first thread has ended.
//!
//! A child that a thread forks begins in that thread. When its function returns, the C library ends
//! the process, provided that no other thread is left. Threads of this crate must not count: so
//! once nothing but them is left, they end the process as the C library would have done.

#![allow(unsafe_code)]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use tokio::time::sleep;

/// How long the process may outlive its last other thread.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Begins the names of all threads of this crate, and of its AMQP library.
const OWN_NAMES: [&str; 2] = ["phanos", "lapin-io-loop"];

/// The thread that forks is not the first one of its process.
static FORKED_BY_OTHER: AtomicBool = AtomicBool::new(false);
/// The first thread of this process runs a function that may return.
static MAY_END: AtomicBool = AtomicBool::new(false);
/// The process is being ended from here.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Before a fork, on the thread that forks.
pub(crate) fn before_fork() {
    FORKED_BY_OTHER.store(!is_first_thread(), Ordering::Relaxed);
}

/// In a forked child.
pub(crate) fn note_in_child() {
    if FORKED_BY_OTHER.load(Ordering::Relaxed) {
        MAY_END.store(true, Ordering::Relaxed);
    }
}

/// True if the first thread of this process may end before the process does.
pub(crate) fn may_end() -> bool {
    MAY_END.load(Ordering::Relaxed)
}

/// Ends the process once its first thread has ended, and all others that are not of this crate.
pub(crate) async fn watch() {
    loop {
        sleep(CHECK_INTERVAL).await;
        if is_alone() && !ENDING.swap(true, Ordering::Relaxed) {
            end_process();
            return;
        }
    }
}

/// As the C library does when the last thread ends: exit functions run, and so does the one of
/// `process::exit`, which waits for the records that are left. Hence on a thread of its own.
fn end_process() {
    // SAFETY: it may be called on any thread.
    let exit = || unsafe { libc::exit(0) };
    if Builder::new().name("phanos-exit".into()).spawn(exit).is_err() {
        exit();
    }
}

/// True if the first thread has ended, and only threads of this crate are left.
fn is_alone() -> bool {
    has_first_thread_ended() && others().is_some_and(|names| names.iter().all(|name| is_own(name)))
}

fn is_own(name: &str) -> bool {
    OWN_NAMES.iter().any(|own| name.starts_with(own))
}

#[cfg(target_os = "linux")]
fn is_first_thread() -> bool {
    // SAFETY: these calls cannot fail.
    unsafe { libc::gettid() == libc::getpid() }
}

#[cfg(not(target_os = "linux"))]
fn is_first_thread() -> bool {
    true
}

/// True if the first thread is a zombie: it has ended, and the process has not.
fn has_first_thread_ended() -> bool {
    // "pid (name) state ...", and the name may have any character in it.
    let status = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'))
}

/// The names of all threads but the first; `None` if the system does not tell.
fn others() -> Option<Vec<String>> {
    let first = std::process::id().to_string();
    let mut names = Vec::new();
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let thread = thread.ok()?;
        if thread.file_name() != *first {
            // A thread that has ended meanwhile has no name.
            names.extend(fs::read_to_string(thread.path().join("comm")));
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_first_thread_runs_is_not_alone() {
        assert!(!has_first_thread_ended());
        assert!(!is_alone());
    }

    #[test]
    fn threads_are_known_by_their_names() {
        let (told, waiting) = flume::bounded::<()>(0);
        let (starting, started) = flume::bounded(1);
        let thread = Builder::new().name("phanos-test".into()).spawn(move || {
            // It has its name by now.
            let _ = starting.send(());
            waiting.recv()
        });
        let thread = thread.expect("a thread");
        started.recv().expect("it runs");
        let names = others().expect("told by the system");
        assert!(names.iter().any(|name| name == "phanos-test\n" && is_own(name)), "{names:?}");
        assert!(!is_own("python\n"));
        drop(told);
        assert!(thread.join().expect("no panic").is_err());
    }
}
