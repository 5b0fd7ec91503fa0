//! The zygote: a small process forked before threads, runtimes and secrets exist, from which supervisors are forked.
//!
//! It does nothing but fork: a request comes with the first connection of the new supervisor, and whatever there is
//! to say is said there. It ends when the daemon does. Supervisors are forked twice, so that they are nobody's
//! children and survive both.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::engine::protocol::SpawnPod;
use super::engine::wire::{decode, encode};
use super::supervisor::supervise;
use super::sys::net;
use super::sys::process::{self, Fork};

/// Greatest request in bytes: what a datagram socket takes with the kernel's default buffers.
pub const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// The daemon's end of its zygote. The zygote ends when this is dropped.
#[derive(Debug)]
pub struct Zygote {
    socket: OwnedFd,
    pid: i32,
}

/// Why the zygote could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ZygoteError {
    /// It could not be forked.
    #[error("cannot start the zygote process")]
    Start(#[source] io::Error),
    /// It has ended.
    #[error("the zygote process has ended")]
    Gone(#[source] io::Error),
    /// A request is too long.
    #[error("description of {0} bytes is too long; at most {REQUEST_BYTES_MAX} are possible")]
    TooLong(usize),
}

impl Zygote {
    /// Forks the zygote. Must be the first thing `main` does: no thread, runtime or secret may exist yet.
    pub fn start() -> Result<Self, ZygoteError> {
        let (own, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|error| ZygoteError::Start(error.into()))?;
        match process::fork().map_err(ZygoteError::Start)? {
            Fork::Child => {
                drop(own);
                serve(theirs)
            }
            Fork::Parent(pid) => Ok(Self { socket: own, pid }),
        }
    }

    /// The zygote's process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Asks for a supervisor; `connection` becomes its first connection, on which it greets or refuses.
    pub fn spawn(&self, pod: &SpawnPod, connection: BorrowedFd<'_>) -> Result<(), ZygoteError> {
        let request = encode(pod);
        if request.len() > REQUEST_BYTES_MAX {
            return Err(ZygoteError::TooLong(request.len()));
        }
        loop {
            match net::send_with_fds(&self.socket, &request, &[connection]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(drop).map_err(ZygoteError::Gone),
            }
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // It ends by itself when its socket closes; here it is only kept from becoming a zombie of a process that
        // lives on.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(self.pid), None);
    }
}

/// Serves requests until the daemon is gone.
fn serve(socket: OwnedFd) -> ! {
    if detach(&socket).is_err() {
        process::exit_now(1);
    }
    let mut buffer = vec![0; REQUEST_BYTES_MAX];
    loop {
        let mut fds = Vec::new();
        match net::receive_with_fds(&socket, &mut buffer, &mut fds) {
            Ok(0) => process::exit_now(0),
            Ok(count) => {
                if let (Ok(pod), Some(connection)) = (decode::<SpawnPod>(&buffer[..count]), fds.pop()) {
                    fork_supervisor(pod, connection);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => process::exit_now(1),
        }
    }
}

/// Cuts the ties to the daemon's session, files and terminal.
fn detach(socket: &OwnedFd) -> io::Result<()> {
    nix::unistd::setsid()?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for target in 0..3 {
        process::duplicate_onto(null.as_fd(), target)?;
    }
    drop(null);
    process::close_all_except(&[socket.as_raw_fd()])?;
    std::env::set_current_dir("/")?;
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE] {
        process::ignore_signal(signal);
    }
    process::set_title("bowline: zygote");
    nix::sys::prctl::set_dumpable(false)?;
    // Protects from the out-of-memory killer where the host allows it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
    Ok(())
}

/// Forks twice: the process between ends at once, and the supervisor is adopted by init.
fn fork_supervisor(pod: SpawnPod, connection: OwnedFd) {
    match process::fork() {
        Ok(Fork::Child) => match process::fork() {
            Ok(Fork::Child) => {
                let _ = nix::unistd::setsid();
                let _ = process::close_all_except(&[connection.as_raw_fd()]);
                supervise(pod, connection)
            }
            _ => process::exit_now(0),
        },
        Ok(Fork::Parent(pid)) => {
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
        }
        Err(_) => {}
    }
}
