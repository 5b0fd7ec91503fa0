//! One small process per pod: holds its namespaces, starts, restarts and reaps its containers, writes their logs,
//! records their ends, and outlives the daemon.
//!
//! Single-threaded, one `poll`, bounded buffers. It takes orders over a socket, never decides what a pod should be,
//! and never forgets before it has written down: an exit is on disk before anyone is told. Start reading at
//! [`supervise`], then `Supervisor::turn`.

pub mod backoff;
pub mod child;
mod client;
mod container;
mod exec;
mod launch;
mod lifecycle;
pub mod logs;
pub mod records;
mod requests;
mod sandbox;

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use client::Client;
use container::{Container, Life, Now};
use exec::Exec;

use crate::host::cgroup::Group;
use crate::host::engine::protocol::{Greeting, Reply, SandboxRecord, SpawnPod};
use crate::host::engine::wire::VERSION;
use crate::host::sys::process;

/// Connections served at a time; more are closed at once.
const CLIENTS_MAX: usize = 32;
/// Bytes copied from one stream in one turn, so that a chatty container cannot keep the others waiting.
const OUTPUT_BYTES_PER_TURN: usize = 64 * 1024;
/// How long the removal of cgroups waits for the end of processes that were killed.
const REMOVE_PATIENCE: Duration = Duration::from_secs(5);

/// The state of a supervisor.
#[derive(Debug)]
struct Supervisor {
    pod: SpawnPod,
    group: Group,
    boot_id: String,
    greeting: Greeting,
    /// The mount namespace of the pod's in-memory volumes.
    volumes: OwnedFd,
    /// The supervisor's own process namespace, to come back to.
    pid_namespace: OwnedFd,
    init: Option<sandbox::Init>,
    signals: SignalFd,
    listener: UnixListener,
    clients: Vec<Client>,
    next_token: u64,
    containers: Vec<Container>,
    execs: Vec<Exec>,
    /// Starts that failed, by place of the container, until the end of the process is noted.
    failed_starts: Vec<(usize, String)>,
    /// No container is started any more; who waits for the end of all.
    stopping: Option<Vec<client::Ticket>>,
    leaving: Option<client::Ticket>,
}

/// What a descriptor that is ready belongs to.
#[derive(Clone, Copy, Debug)]
enum Source {
    Signals,
    Listener,
    Client(u64),
    Output(usize, usize),
    Report(usize),
    ExecReport(usize),
}

/// Runs a pod's supervisor in the calling process, which was forked for that, until the pod is removed.
///
/// `first` is the daemon's connection; it hears either a greeting or why the sandbox could not be made.
pub fn supervise(pod: SpawnPod, first: OwnedFd) -> ! {
    process::set_title(&format!("bowline: pod {}/{}", pod.sandbox.namespace, pod.sandbox.name));
    let group = Group::new(pod.layout.clone(), pod.cgroup.clone());
    let mut client = match Client::new(0, first) {
        Ok(client) => client,
        Err(_) => process::exit_now(1),
    };
    match Supervisor::new(pod, group.clone()) {
        Ok(mut supervisor) => {
            client.send(0, &Reply::Hello(supervisor.greeting.clone()), Vec::new());
            supervisor.clients.push(client);
            process::trim_heap();
            supervisor.run()
        }
        Err(message) => {
            let _ = group.remove(REMOVE_PATIENCE);
            client.send(0, &Reply::Refused(message), Vec::new());
            process::exit_now(1)
        }
    }
}

impl Supervisor {
    fn new(pod: SpawnPod, group: Group) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let dir = pod.sandbox.run_dir.clone();
        settle(&dir).map_err(|error| format!("cannot use run directory `{}`: {error}", dir.display()))?;
        group.create().and_then(|()| group.set_limits(&pod.sandbox.limits)).map_err(|error| text(&error))?;
        let pid_namespace = fs::File::open("/proc/self/ns/pid").map_err(|error| text(&error))?.into();
        sandbox::enter(&pod.sandbox).map_err(|error| text(&error))?;
        let volumes = sandbox::make_volumes(&pod.sandbox, &dir.join("rootfs")).map_err(|error| text(&error))?;
        let shared = pod.sandbox.share_process_namespace && !pod.sandbox.host_pid;
        let init = shared.then(|| sandbox::Init::start(&pid_namespace)).transpose().map_err(|error| text(&error))?;
        let signals = catch_children().map_err(|error| format!("cannot watch for children: {error}"))?;
        let listener = listen(&dir)
            .map_err(|error| format!("cannot listen on `{}`: {error}", dir.join(records::SOCKET).display()))?;
        let pid = std::process::id();
        let start_ticks = records::start_ticks(pid).map_err(|error| text(&error))?;
        let boot_id = records::boot_id();
        let record = SandboxRecord { version: VERSION, boot_id: boot_id.clone(), pid, start_ticks, pod };
        records::write(&dir.join(records::SANDBOX), &record)
            .map_err(|error| format!("cannot write to `{}`: {error}", dir.display()))?;
        Ok(Self {
            pod: record.pod,
            group,
            boot_id,
            greeting: Greeting { version: VERSION, pid, start_ticks },
            volumes,
            pid_namespace,
            init,
            signals,
            listener,
            clients: Vec::new(),
            next_token: 1,
            containers: Vec::new(),
            execs: Vec::new(),
            failed_starts: Vec::new(),
            stopping: None,
            leaving: None,
        })
    }

    fn run(mut self) -> ! {
        loop {
            let now = Now::read();
            self.check_timers(now);
            if self.leaving.is_some() && self.is_empty() {
                self.leave();
            }
            let ready = self.wait(now);
            let now = Now::read();
            for source in ready {
                self.turn(source, now);
            }
        }
    }

    /// Waits until something is ready or a timer is due.
    fn wait(&self, now: Now) -> Vec<Source> {
        let (sources, mut fds): (Vec<Source>, Vec<PollFd<'_>>) = self.sources().into_iter().unzip();
        let timeout = self.next_timer().map(|due_ms| {
            let wait_ms = due_ms.saturating_sub(now.ms);
            Timespec { tv_sec: (wait_ms / 1000) as i64, tv_nsec: (wait_ms % 1000 * 1_000_000) as i64 }
        });
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        let ready = fds.iter().map(|fd| !fd.revents().is_empty());
        sources.into_iter().zip(ready).filter_map(|(source, ready)| ready.then_some(source)).collect()
    }

    /// Lists everything that can become ready. Output comes before signals: what a program wrote is read before its
    /// end is noted.
    fn sources(&self) -> Vec<(Source, PollFd<'_>)> {
        let input = |source: Source, fd| (source, PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let mut list = Vec::new();
        for (index, container) in self.containers.iter().enumerate() {
            // Backwards, so that the removal of one that ended leaves the others' places.
            for (stream, output) in container.outputs.iter().enumerate().rev() {
                list.push(input(Source::Output(index, stream), output.fd.as_fd()));
            }
            if let Life::Starting { report, .. } = &container.life {
                list.push(input(Source::Report(index), report.as_fd()));
            }
        }
        for (index, exec) in self.execs.iter().enumerate() {
            if let Some(report) = &exec.report {
                list.push(input(Source::ExecReport(index), report.as_fd()));
            }
        }
        list.push(input(Source::Signals, self.signals.as_fd()));
        list.push(input(Source::Listener, self.listener.as_fd()));
        for client in &self.clients {
            let output = if client.has_output() { PollFlags::OUT } else { PollFlags::empty() };
            let fd = PollFd::from_borrowed_fd(client.socket(), PollFlags::IN | output);
            list.push((Source::Client(client.token), fd));
        }
        list
    }

    fn turn(&mut self, source: Source, now: Now) {
        match source {
            Source::Signals => self.reap(now),
            Source::Listener => self.accept(),
            Source::Client(token) => self.serve(token, now),
            Source::Output(index, stream) => self.read_output(index, stream, now),
            Source::Report(index) => self.reported(index, now),
            Source::ExecReport(index) => {
                if index < self.execs.len() {
                    self.exec_reported(index);
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            if self.clients.len() >= CLIENTS_MAX {
                continue;
            }
            let token = self.next_token;
            self.next_token += 1;
            if let Ok(mut client) = Client::new(token, socket.into())
                && client.send(0, &Reply::Hello(self.greeting.clone()), Vec::new())
            {
                self.clients.push(client);
            }
        }
    }

    fn read_output(&mut self, index: usize, stream: usize, now: Now) {
        let container = &mut self.containers[index];
        if stream < container.outputs.len() && container.copy_output(stream, OUTPUT_BYTES_PER_TURN, now) {
            container.outputs.remove(stream);
        }
    }

    fn is_empty(&self) -> bool {
        self.execs.is_empty() && !self.containers.iter().any(Container::is_alive)
    }

    /// Removes what the supervisor made, answers, and ends.
    fn leave(&mut self) -> ! {
        if let Some(init) = self.init.take() {
            let _ = process::pidfd_signal(init.pidfd.as_fd(), libc::SIGKILL);
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(init.pid), None);
        }
        let removed = self.group.remove(REMOVE_PATIENCE);
        let _ = fs::remove_file(self.pod.sandbox.run_dir.join(records::SOCKET));
        if let Some(ticket) = self.leaving {
            let reply = removed.map_or_else(|error| Reply::Refused(error.to_string()), |()| Reply::Done);
            self.answer(ticket, &reply);
        }
        process::exit_now(0)
    }
}

/// Makes the run directory and turns the process into one that belongs to nobody's session.
fn settle(dir: &Path) -> io::Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    for below in [records::EXITS, records::STATES, "rootfs", "scratch"] {
        fs::create_dir_all(dir.join(below))?;
    }
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("supervisor.log"))?;
    process::duplicate_onto(log.as_fd(), 2)?;
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE] {
        process::ignore_signal(signal);
    }
    nix::sys::prctl::set_child_subreaper(true)?;
    Ok(())
}

/// Turns the end of children into something that can be polled.
fn catch_children() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// Listens in the run directory, by a relative name: a socket's path may have 107 bytes only.
fn listen(dir: &Path) -> io::Result<UnixListener> {
    std::env::set_current_dir(dir)?;
    let _ = fs::remove_file(records::SOCKET);
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(records::SOCKET);
    rustix::process::umask(old);
    std::env::set_current_dir("/")?;
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Returns the exit code that shells and Kubernetes give for a code or a signal.
fn code_of(code: i32, signal: i32) -> i32 {
    if signal == 0 { code } else { 128 + signal }
}
