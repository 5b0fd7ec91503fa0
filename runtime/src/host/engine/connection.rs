//! A connection to a supervisor: requests with their replies, and events.
//!
//! Owns one task, which reads, and ends with the connection or with the last handle.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use super::EngineError;
use super::protocol::{Greeting, Inbox, Reply, Request, frame};
use super::state::PodEvent;
use super::wire::VERSION;
use crate::host::sys::{net, process};

/// Events kept for a subscriber that lags; one that lags more asks for the state.
const EVENTS_KEPT: usize = 256;

type Answer = (Reply, Vec<OwnedFd>);

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Connection {
    uid: String,
    greeting: Greeting,
    shared: Arc<Shared>,
    writing: tokio::sync::Mutex<()>,
    next_id: AtomicU64,
    reader: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    stream: UnixStream,
    pending: Mutex<BTreeMap<u64, mpsc::UnboundedSender<Answer>>>,
    events: broadcast::Sender<PodEvent>,
    closed: AtomicBool,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, BTreeMap<u64, mpsc::UnboundedSender<Answer>>> {
        self.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The replies to one request.
#[derive(Debug)]
pub(super) struct Replies<'a> {
    connection: &'a Connection,
    id: u64,
    replies: mpsc::UnboundedReceiver<Answer>,
}

impl Replies<'_> {
    /// Waits for the next reply; a refusal is an error.
    pub async fn next(&mut self) -> Result<Answer, EngineError> {
        let uid = || self.connection.uid.clone();
        match self.replies.recv().await {
            Some((Reply::Refused(message), _)) => Err(EngineError::Refused { uid: uid(), message }),
            Some(answer) => Ok(answer),
            None => Err(EngineError::Lost { uid: uid() }),
        }
    }
}

impl Drop for Replies<'_> {
    fn drop(&mut self) {
        self.connection.shared.pending().remove(&self.id);
    }
}

impl Connection {
    /// Takes over a connected socket and waits for the greeting.
    pub async fn open(uid: &str, socket: StdStream) -> Result<Self, EngineError> {
        let lost = || EngineError::Lost { uid: uid.to_owned() };
        let stream = socket.set_nonblocking(true).and_then(|()| UnixStream::from_std(socket)).map_err(|_| lost())?;
        let mut inbox = Inbox::default();
        let greeting = loop {
            match inbox.take_frame::<Reply>().map_err(|_| lost())? {
                Some((_, Reply::Hello(greeting), _)) => break greeting,
                Some((_, Reply::Refused(message), _)) => {
                    return Err(EngineError::Sandbox { uid: uid.to_owned(), message });
                }
                Some(_) => return Err(lost()),
                None => {
                    if receive(&stream, &mut inbox).await.map_err(|_| lost())? == 0 {
                        return Err(lost());
                    }
                }
            }
        };
        if greeting.version > VERSION {
            return Err(EngineError::Version { uid: uid.to_owned(), version: greeting.version });
        }
        let shared = Arc::new(Shared {
            stream,
            pending: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            closed: AtomicBool::new(false),
        });
        let reader = tokio::spawn(read(shared.clone(), inbox, greeting.pid as i32));
        let (writing, next_id) = (tokio::sync::Mutex::new(()), AtomicU64::new(1));
        Ok(Self { uid: uid.to_owned(), greeting, shared, writing, next_id, reader })
    }

    /// How the supervisor introduced itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Subscribes to events.
    pub fn events(&self) -> broadcast::Receiver<PodEvent> {
        self.shared.events.subscribe()
    }

    /// Sends a request with descriptors and returns where its replies come.
    pub async fn request(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<Replies<'_>, EngineError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, replies) = mpsc::unbounded_channel();
        self.shared.pending().insert(id, sender);
        let replies = Replies { connection: self, id, replies };
        let sent = self.send(&frame(id, fds.len() as u8, request), fds).await;
        // The reader sets the flag before it clears the map: whoever inserted too late sees it here.
        if sent.is_err() || self.shared.closed.load(Ordering::SeqCst) {
            return Err(EngineError::Lost { uid: self.uid.clone() });
        }
        Ok(replies)
    }

    /// Waits until the supervisor has closed the connection.
    pub async fn closed(&self) {
        let mut events = self.events();
        while !self.shared.closed.load(Ordering::SeqCst) {
            if matches!(events.recv().await, Ok(PodEvent::Lost) | Err(broadcast::error::RecvError::Closed)) {
                return;
            }
        }
    }

    async fn send(&self, mut bytes: &[u8], mut fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let _turn = self.writing.lock().await;
        let stream = &self.shared.stream;
        while !bytes.is_empty() {
            stream.writable().await?;
            match stream.try_io(Interest::WRITABLE, || net::send_with_fds(stream.as_fd(), bytes, fds)) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    fds = &[];
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Reads once; 0 at the end of the connection.
async fn receive(stream: &UnixStream, inbox: &mut Inbox) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        let mut buffer = [0; 16 * 1024];
        let read = || net::receive_with_fds(stream.as_fd(), &mut buffer, &mut inbox.fds);
        match stream.try_io(Interest::READABLE, read) {
            Ok(count) => {
                inbox.bytes.extend_from_slice(&buffer[..count]);
                return Ok(count);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hands out replies and events until the connection ends.
async fn read(shared: Arc<Shared>, mut inbox: Inbox, supervisor: i32) {
    while let Ok(taken) = inbox.take_frame::<Reply>() {
        match taken {
            Some((0, Reply::Event(event), _)) => {
                let _ = shared.events.send(event);
            }
            Some((id, reply, fds)) => {
                if let Some(sender) = shared.pending().get(&id) {
                    let _ = sender.send((reply, fds));
                }
            }
            None => match receive(&shared.stream, &mut inbox).await {
                Ok(count) if count > 0 => {}
                _ => break,
            },
        }
    }
    let _ = tokio::task::spawn_blocking(move || collect(supervisor)).await;
    shared.closed.store(true, Ordering::SeqCst);
    shared.pending().clear();
    let _ = shared.events.send(PodEvent::Lost);
}

/// Waits for the end of a supervisor and collects it if it is a child of this process, as one is whose intermediate
/// parent ended while this process collects orphans. Any other is collected by whoever adopted it.
fn collect(supervisor: i32) {
    const PATIENCE: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
    if let Ok(pidfd) = process::pidfd_open(supervisor) {
        let _ = poll(&mut [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)], Some(&PATIENCE));
    }
    let _ = waitpid(Pid::from_raw(supervisor), Some(WaitPidFlag::WNOHANG));
}
