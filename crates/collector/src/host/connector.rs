//! A process's way to the leader, which makes it the leader where there is none.
//!
//! No process watches over the leader: when it ends, the links of all others break, and whoever opens
//! the next one finds that there is none.

use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use phanos_delivery::fork::ProcessLocal;
use phanos_delivery::{
    Answer, Connector, Envelope, Failure, Link, LinkEvent, LinkFuture, LocalSettings, Wording,
};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::host::folder::Folder;
use crate::host::leader::{Failed, Leader, Told};
use crate::host::settings::HostSettings;
use crate::socket::lock::Lock;

/// For the leader's welcome.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a link is tried to be opened before it is told that this fails: a leader that ends may
/// still have the port, the one that begins not yet the socket.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How long the end of a leader may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

static WORDING: Wording = Wording {
    product: "the process that serves Prometheus",
    receiver: "the process that serves Prometheus",
    lost_route: "messages are not counted any more",
    rejection_hint: "ending?",
    unroutable: "nobody counts them",
    blamed: "the process that serves Prometheus closes the connection over them",
    takes_turns: true,
};

/// A handler's way to the leader.
pub struct HostConnector {
    settings: HostSettings,
    /// A forked child has one of its own.
    membership: ProcessLocal<Mutex<Membership>>,
}

/// What a process has to do with the others.
struct Membership {
    folder: Folder,
    local: LocalSettings,
    /// Held as long as the process sends.
    member: Option<Lock>,
    leader: Option<Leader>,
    told: UnboundedSender<Told>,
    lines: Lines,
}

/// Lines of the leader, for whichever link is open.
type Lines = Arc<StdMutex<UnboundedReceiver<Told>>>;

impl HostConnector {
    pub fn new(settings: HostSettings) -> Self {
        let folder = Folder::of(&settings);
        let (told, lines) = unbounded_channel();
        let membership = Membership {
            local: LocalSettings { path: folder.socket(), connect_timeout: WELCOME_TIMEOUT },
            folder,
            member: None,
            leader: None,
            told,
            lines: Arc::new(StdMutex::new(lines)),
        };
        Self { settings, membership: ProcessLocal::new(Mutex::new(membership)) }
    }
}

impl fmt::Debug for HostConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("HostConnector").field(&self.settings.listen).finish()
    }
}

impl Connector for HostConnector {
    fn open(&self) -> LinkFuture<'_, Result<Box<dyn Link>, Failure>> {
        Box::pin(async {
            let Some(membership) = self.membership.get() else {
                return Err(Failure::Refused("of another process".into()));
            };
            membership.lock().await.open(&self.settings).await
        })
    }

    fn address(&self) -> String {
        format!("http://{}/metrics", self.settings.listen)
    }

    fn destination(&self) -> String {
        format!("host\0{}\0", self.settings.listen)
    }

    fn wording(&self) -> &'static Wording {
        &WORDING
    }

    fn for_child(&self) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(Self::new(self.settings.clone())))
    }

    fn release(&self) -> LinkFuture<'_, ()> {
        Box::pin(async {
            let Some(membership) = self.membership.get() else { return };
            let mut membership = membership.lock().await;
            if let Some(leader) = membership.leader.take() {
                let _ = timeout(RELEASE_TIMEOUT, leader.stop()).await;
            }
            membership.member = None;
        })
    }
}

impl Membership {
    async fn open(&mut self, settings: &HostSettings) -> Result<Box<dyn Link>, Failure> {
        let end = Instant::now() + OPEN_TIMEOUT;
        self.folder.make().map_err(Failure::Refused)?;
        // Processes that cannot lead either hold the lock by turns: what stands in the way says more
        // than that another one has it.
        let mut obstacle = None;
        loop {
            let failure = match self.attempt(settings, &mut obstacle).await {
                Ok(link) => return Ok(Box::new(HostLink { link, lines: Arc::clone(&self.lines) })),
                Err(failure) => failure,
            };
            if Instant::now() >= end {
                return Err(obstacle.map_or(failure, Failure::Unreachable));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn attempt(
        &mut self,
        settings: &HostSettings,
        obstacle: &mut Option<String>,
    ) -> Result<Box<dyn Link>, Failure> {
        self.join()?;
        let failure = match self.local.open().await {
            Ok(link) => return Ok(link),
            Err(failure) => failure,
        };
        if self.leader.as_ref().is_some_and(|leader| !leader.works()) {
            self.leader = None;
        }
        if self.leader.is_some() {
            return Err(failure);
        }
        match Leader::start(settings, &self.folder, self.told.clone()).await {
            Ok(leader) => {
                self.leader = Some(leader);
                return self.local.open().await;
            }
            Err(Failed::Led) => {}
            Err(Failed::PortTaken) => {
                let listen = settings.listen;
                *obstacle = Some(format!(
                    "{listen} is taken by another program, or by phanos of another user"
                ));
            }
            Err(Failed::Other(text)) => *obstacle = Some(text),
        }
        Err(failure)
    }

    /// Becomes one of the processes that send; the first of them begins with nothing counted.
    fn join(&mut self) -> Result<(), Failure> {
        if self.member.is_some() {
            return Ok(());
        }
        let path = self.folder.path();
        let joined = Lock::shared(path, || self.folder.forget());
        self.member =
            joined.map_err(|error| Failure::Unreachable(format!("{}: {error}", path.display())))?;
        let is_busy = || Failure::Unreachable(format!("{} is locked", path.display()));
        if self.member.is_some() { Ok(()) } else { Err(is_busy()) }
    }
}

/// A link to the leader, which also tells what the leader has to log, if it is in this process.
struct HostLink {
    link: Box<dyn Link>,
    lines: Lines,
}

impl Link for HostLink {
    fn publish(
        &self,
        envelope: &Envelope,
        settled: Option<u64>,
        body: Arc<Vec<u8>>,
    ) -> LinkFuture<'static, Answer> {
        self.link.publish(envelope, settled, body)
    }

    fn flush(&self) {
        self.link.flush();
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<LinkEvent> {
        let line = self.lines.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(context);
        if let Poll::Ready(Some((level, text))) = line {
            return Poll::Ready(LinkEvent::Told { level, kind: text.clone(), text });
        }
        self.link.poll_event(context)
    }

    fn failure(&self) -> Option<Failure> {
        self.link.failure()
    }

    fn close(self: Box<Self>, timeout: Duration) -> LinkFuture<'static, ()> {
        self.link.close(timeout)
    }
}
