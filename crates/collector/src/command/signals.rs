//! What the system says.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as SystemSignals};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    End,
    Reload,
}

/// Signals are read by a thread of their own.
///
/// With tokio's own signals every runtime of the process needs descriptors that are opened once and
/// never again: a program that profiles and closes all descriptors could start no engine any more.
pub(crate) struct Signals {
    wishes: UnboundedReceiver<Wish>,
    handle: Handle,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        let mut signals = SystemSignals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let (sender, wishes) = unbounded_channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let wish = if signal == SIGHUP { Wish::Reload } else { Wish::End };
                if sender.send(wish).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { wishes, handle })
    }

    pub(crate) async fn next(&mut self) -> Wish {
        self.wishes.recv().await.unwrap_or(Wish::End)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}
