//! What the engine reports: the state of pods and containers, exits, usage.

use std::time::SystemTime;

/// The state of a pod's containers as its supervisor sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodState {
    /// Containers in the order of their first start.
    pub containers: Vec<ContainerState>,
    /// When everything of the pod will have been killed, once its stop was ordered.
    pub stop_deadline: Option<SystemTime>,
}

impl PodState {
    /// Returns the state of the container called `name`.
    pub fn container(&self, name: &str) -> Option<&ContainerState> {
        self.containers.iter().find(|container| container.name == name)
    }
}

/// The state of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// The container's name.
    pub name: String,
    /// Number of the current or last start.
    pub attempt: u32,
    /// Hash given with the specification that is in force.
    pub spec_hash: String,
    /// What the container does now.
    pub phase: ContainerPhase,
    /// How often it was started again.
    pub restart_count: u32,
    /// How the attempt before this one ended; while waiting for a restart, how the last one ended.
    pub last_exit: Option<Exit>,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerPhase {
    /// Not running, but going to.
    Waiting {
        /// `ContainerCreating` or `CrashLoopBackOff`.
        reason: String,
        /// Text for people.
        message: String,
        /// When the next start is due.
        until: Option<SystemTime>,
    },
    /// Running: the program was executed.
    Running {
        /// Process id on the host.
        pid: u32,
        /// When the program was executed.
        started: SystemTime,
    },
    /// Ended, and not going to be started again by the supervisor.
    Exited(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Number of the attempt that ended.
    pub attempt: u32,
    /// Exit code; 128 + signal when a signal ended it, 128 when it could not be started.
    pub code: i32,
    /// The signal that ended it, or 0.
    pub signal: i32,
    /// Whether the kernel killed a process of the container for want of memory.
    pub oom: bool,
    /// When the program was executed; equals `finished` when it never was.
    pub started: SystemTime,
    /// When it ended.
    pub finished: SystemTime,
    /// `Completed`, `Error`, `OOMKilled`, `StartError` or `ContainerStatusUnknown`.
    pub reason: String,
    /// The termination message, or why the container could not be started.
    pub message: String,
}

impl Exit {
    /// Reason of an exit with code 0.
    pub const COMPLETED: &'static str = "Completed";
    /// Reason of any other exit.
    pub const ERROR: &'static str = "Error";
    /// Reason when the kernel killed a process of the container for want of memory.
    pub const OOM_KILLED: &'static str = "OOMKilled";
    /// Reason when the program could not be executed; the code is then 128.
    pub const START_ERROR: &'static str = "StartError";
    /// Reason when nobody saw the end; the code is then 137.
    pub const UNKNOWN: &'static str = "ContainerStatusUnknown";

    /// Tells whether the container ended well.
    pub fn succeeded(&self) -> bool {
        self.code == 0 && self.signal == 0 && self.reason != Self::START_ERROR
    }
}

/// Something that happened in a pod. Carries the whole new state, so that a missed event costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all events are of the large kind")]
pub enum PodEvent {
    /// A container changed.
    Container(ContainerState),
    /// The supervisor has ended: the pod was removed, or it is lost.
    Lost,
}

/// How a program run by `exec` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecExit {
    /// Exit code; 128 + signal when a signal ended it; 126 and 127 when it could not be executed or found.
    pub code: i32,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
}

/// What a container uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory in bytes, page cache included.
    pub memory_bytes: u64,
    /// Memory in bytes that cannot be reclaimed easily: without inactive file pages.
    pub working_set_bytes: u64,
    /// CPU time used so far, in nanoseconds.
    pub cpu_nanos: u64,
    /// Tasks alive.
    pub pids: u64,
}
