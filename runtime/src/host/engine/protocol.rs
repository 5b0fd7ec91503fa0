//! What the daemon and a supervisor say to each other.
//!
//! A frame is a length (u32), an id (u64), a count of descriptors (u8) and a body. A request's id returns with its
//! replies; id 0 belongs to the greeting and to events. Descriptors travel with the first byte of their frame.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use super::spec::{ContainerSpec, ExecSpec, PodSandbox};
use super::state::{ContainerState, ExecExit, PodEvent, PodState};
use super::wire::{Reader, Wire, WireError, decode, wire_enum, wire_struct};
use crate::host::cgroup::Layout;

/// Greatest length of a frame in bytes; bounds what a peer can make the other side hold.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// Bytes before a frame's body: length, id, count of descriptors.
const HEADER_BYTES: usize = 4 + 8 + 1;

/// What a zygote needs to fork a supervisor; its end of the first connection travels with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnPod {
    /// The pod.
    pub sandbox: PodSandbox,
    /// The host's cgroup hierarchies.
    pub layout: Layout,
    /// The pod's cgroup.
    pub cgroup: PathBuf,
}

/// What the daemon asks of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time exists, between the socket and its handler")]
pub enum Request {
    /// Start a container. Reply: `Container`, once it runs or could not be started.
    Start(ContainerSpec),
    /// Stop a container. Reply: `Container`, once it has ended.
    Stop {
        /// The container.
        name: String,
        /// Time between the signal and the kill.
        grace: Duration,
        /// The signal, by default the container's own.
        signal: Option<i32>,
    },
    /// Stop all containers. Reply: `Pod`, once all have ended.
    StopAll {
        /// Time between the signals and the kill.
        grace: Duration,
    },
    /// Send a signal to a container. Reply: `Done`.
    Signal {
        /// The container.
        name: String,
        /// The signal.
        signal: i32,
    },
    /// Run a program in a container; carries stdin, stdout, stderr unless a terminal is asked for. Replies:
    /// `Terminal` when one was asked for, then `Exec`.
    Exec(ExecSpec),
    /// Tell the state. Reply: `Pod`.
    Status,
    /// Kill everything and leave. Reply: `Done`, then the connection ends.
    Shutdown,
}

/// What a supervisor answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// First frame of every connection.
    Hello(Greeting),
    /// The request was carried out.
    Done,
    /// The request was not carried out; says why.
    Refused(String),
    /// A container's state.
    Container(ContainerState),
    /// The pod's state.
    Pod(PodState),
    /// A program ended.
    Exec(ExecExit),
    /// Carries the master side of a program's terminal.
    Terminal,
    /// Something happened.
    Event(PodEvent),
}

/// How a supervisor introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Version of the protocol.
    pub version: u16,
    /// Its process id on the host.
    pub pid: u32,
    /// Its start time in clock ticks after boot.
    pub start_ticks: u64,
}

/// What a supervisor leaves in its run directory for those who come after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRecord {
    /// Version of the record.
    pub version: u16,
    /// The host's boot.
    pub boot_id: String,
    /// The supervisor.
    pub pid: u32,
    /// The supervisor's start time in clock ticks after boot.
    pub start_ticks: u64,
    /// The pod as it was started.
    pub pod: SpawnPod,
}

/// What a supervisor records about a container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Version of the record.
    pub version: u16,
    /// The host's boot.
    pub boot_id: String,
    /// Start time of the container's first process in clock ticks after boot.
    pub start_ticks: u64,
    /// Its cgroup below each hierarchy.
    pub cgroup: PathBuf,
    /// Its state.
    pub state: ContainerState,
}

wire_struct! {
    SpawnPod { sandbox, layout, cgroup }
    Greeting { version, pid, start_ticks }
    SandboxRecord { version, boot_id, pid, start_ticks, pod }
    RunRecord { version, boot_id, start_ticks, cgroup, state }
}

wire_enum! {
    Request {
        0 => Start(spec), 1 => Stop { name, grace, signal }, 2 => StopAll { grace }, 3 => Signal { name, signal },
        4 => Exec(spec), 5 => Status, 6 => Shutdown,
    }
    Reply {
        0 => Hello(greeting), 1 => Done, 2 => Refused(why), 3 => Container(state), 4 => Pod(state), 5 => Exec(exit),
        6 => Terminal, 7 => Event(event),
    }
}

/// Returns the bytes of a frame that carries `fds` descriptors.
pub fn frame(id: u64, fds: u8, body: &impl Wire) -> Vec<u8> {
    let mut out = vec![0; 4];
    id.put(&mut out);
    fds.put(&mut out);
    body.put(&mut out);
    let length = out.len() as u32;
    out[..4].copy_from_slice(&length.to_le_bytes());
    out
}

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A frame claims an impossible length.
    #[error("frame of {0} bytes")]
    Length(usize),
    /// A frame's body is not understood.
    #[error(transparent)]
    Body(#[from] WireError),
    /// A frame lacks descriptors that it announced.
    #[error("frame without its descriptors")]
    Descriptors,
}

/// Bytes and descriptors received and not yet taken as frames.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Bytes received.
    pub bytes: Vec<u8>,
    /// Descriptors received.
    pub fds: Vec<OwnedFd>,
}

impl Inbox {
    /// Takes the next whole frame, if one is there: its id, body and descriptors.
    pub fn take_frame<T: Wire>(&mut self) -> Result<Option<(u64, T, Vec<OwnedFd>)>, FrameError> {
        let Some(head) = self.bytes.get(..HEADER_BYTES) else { return Ok(None) };
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if !(HEADER_BYTES..=FRAME_BYTES_MAX).contains(&length) {
            return Err(FrameError::Length(length));
        }
        let Some(frame) = self.bytes.get(4..length) else { return Ok(None) };
        let (head, body) = frame.split_at(HEADER_BYTES - 4);
        let (id, count): (u64, u8) = decode(head)?;
        let body = decode(body)?;
        if self.fds.len() < usize::from(count) {
            return Err(FrameError::Descriptors);
        }
        self.bytes.drain(..length);
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
        Ok(Some((id, body, self.fds.drain(..usize::from(count)).collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut inbox = Inbox::default();
        let bytes = [frame(7, 0, &Request::Status), frame(8, 0, &Request::Shutdown)].concat();
        let mut seen = Vec::new();
        for byte in bytes {
            inbox.bytes.push(byte);
            while let Some((id, request, _)) = inbox.take_frame::<Request>().expect("frames are whole") {
                seen.push((id, request));
            }
        }
        assert_eq!(seen, [(7, Request::Status), (8, Request::Shutdown)]);
    }

    #[test]
    fn a_bad_frame_is_an_error() {
        let of = |bytes: Vec<u8>| {
            Inbox { bytes, fds: Vec::new() }.take_frame::<Request>().map(|_| ()).map_err(|e| e.to_string())
        };
        assert_eq!(of(vec![255; 20]), Err("frame of 4294967295 bytes".to_owned()));
        assert_eq!(of(vec![1; 20]), Err("frame of 16843009 bytes".to_owned()));
        assert_eq!(of(frame(1, 3, &Request::Status)), Err("frame without its descriptors".to_owned()));
        assert_eq!(of(frame(1, 0, &250_u8)), Err("record holds an invalid Request".to_owned()));
    }
}
