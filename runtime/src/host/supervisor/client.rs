//! One connection of a supervisor: frames in, frames out, both bounded, never blocking.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::host::engine::protocol::{FRAME_BYTES_MAX, Inbox, Reply, Request, frame};
use crate::host::sys::net;

/// Bytes that may wait for a peer that does not read; one that lets more pile up is dropped, and connects again.
const OUTBOX_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// A request that is still to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The connection.
    pub client: u64,
    /// The request.
    pub id: u64,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    /// Tells connections apart.
    pub token: u64,
    socket: OwnedFd,
    inbox: Inbox,
    outbox: VecDeque<Outgoing>,
    waiting: usize,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<OwnedFd>,
}

impl Client {
    /// Takes over a connected socket.
    pub fn new(token: u64, socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { token, socket, inbox: Inbox::default(), outbox: VecDeque::new(), waiting: 0 })
    }

    /// The socket, to be polled.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Tells whether something waits to be sent.
    pub fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Reads what is there and returns whole requests; `None` at the end of the connection or after nonsense.
    pub fn receive(&mut self) -> Option<Vec<(u64, Request, Vec<OwnedFd>)>> {
        let mut buffer = [0; 16 * 1024];
        match net::receive_with_fds(&self.socket, &mut buffer, &mut self.inbox.fds) {
            Ok(0) => return None,
            Ok(count) => self.inbox.bytes.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => return None,
        }
        let mut requests = Vec::new();
        loop {
            match self.inbox.take_frame() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return Some(requests),
                Err(error) => {
                    eprintln!("connection {} dropped: {error}", self.token);
                    return None;
                }
            }
        }
    }

    /// Queues a reply and sends what the socket takes. Returns whether the connection is still good.
    pub fn send(&mut self, id: u64, reply: &Reply, fds: Vec<OwnedFd>) -> bool {
        let bytes = frame(id, fds.len() as u8, reply);
        self.waiting += bytes.len();
        self.outbox.push_back(Outgoing { bytes, sent: 0, fds });
        self.flush() && self.waiting <= OUTBOX_BYTES_MAX
    }

    /// Sends what the socket takes. Returns whether the connection is still good.
    pub fn flush(&mut self) -> bool {
        while let Some(next) = self.outbox.front_mut() {
            let fds: Vec<BorrowedFd<'_>> = next.fds.iter().map(AsFd::as_fd).collect();
            match net::send_with_fds(&self.socket, &next.bytes[next.sent..], &fds) {
                Ok(count) => {
                    next.sent += count;
                    self.waiting -= count;
                    next.fds.clear();
                    if next.sent == next.bytes.len() {
                        self.outbox.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}
