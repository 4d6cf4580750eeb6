//! Futures whose wakers do not panic.
//!
//! Tokio's wakers do if the descriptor by which they wake its thread is closed, which a program may do
//! that closes all of them. The panic would come wherever a task is woken: in a caller, and within the
//! locks of libraries, which are of no use after that.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled with a [`QuietWaker`].
pub struct Quiet<F> {
    future: Pin<Box<F>>,
    /// The waker that it was polled with last, and the one that stands for it.
    waker: Option<(Waker, Waker)>,
}

impl<F: Future> Quiet<F> {
    pub fn new(future: F) -> Self {
        Self { future: Box::pin(future), waker: None }
    }
}

impl<F: Future> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let given = context.waker();
        let (_, waker) = match &mut this.waker {
            Some(known) if known.0.will_wake(given) => known,
            other => other.insert((given.clone(), Arc::new(QuietWaker(given.clone())).into())),
        };
        this.future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

/// Wakes, or does nothing if that panics: the runtime is at its end, and soon notices.
struct QuietWaker(Waker);

impl Wake for QuietWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.wake_by_ref()));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counted {
        woken: AtomicUsize,
        panics: bool,
    }

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.woken.fetch_add(1, Ordering::SeqCst);
            assert!(!self.panics, "told to");
        }
    }

    #[test]
    fn wakers_wake_and_do_not_panic() {
        for panics in [false, true] {
            let counted = Arc::new(Counted { woken: AtomicUsize::new(0), panics });
            let waker = Waker::from(Arc::clone(&counted));
            let seen = Mutex::new(Vec::new());
            let mut quiet = Quiet::new(poll_fn(|context| {
                seen.lock().expect("not poisoned").push(context.waker().clone());
                Poll::<()>::Pending
            }));
            for _ in 0..2 {
                let polled = Pin::new(&mut quiet).poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            }
            let seen = seen.lock().expect("not poisoned");
            assert!(seen[0].will_wake(&seen[1]), "made once");
            seen[0].wake_by_ref();
            assert_eq!(counted.woken.load(Ordering::SeqCst), 1);
        }
    }
}
