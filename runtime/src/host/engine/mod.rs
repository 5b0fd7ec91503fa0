//! The daemon's side of the pod engine: starts pods, finds those that run, talks to their supervisors.
//!
//! It owns the pods' run directories and nothing else. It never holds facts that a supervisor does not hold too:
//! a daemon that is killed loses nothing, and the next one adopts what runs ([`Engine::adopt`]).
//!
//! Start reading at [`Engine`], then [`PodHandle`].

pub mod spec;
pub mod state;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::broadcast;

pub use spec::{
    Capabilities, ContainerSpec, ExecSpec, Limits, Mount, MountKind, PodSandbox, RestartPolicy, Rootfs, TmpfsVolume,
    User,
};
pub use state::{ContainerPhase, ContainerState, ExecExit, Exit, PodEvent, PodState, Usage};

use super::zygote::Zygote;

/// Where an instance of the engine keeps its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineDirs {
    /// Directory below which every pod has its run directory, named by its uid.
    pub pods: PathBuf,
    /// Mount point below which cgroup hierarchies are looked for; `None` reads the host's mount table.
    pub cgroups: Option<PathBuf>,
}

/// Why an operation of the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The zygote is gone, so that no pod can be started.
    #[error("cannot start pod `{uid}`: the zygote process has ended; restart the daemon")]
    ZygoteGone {
        /// The pod.
        uid: String,
    },
    /// A pod of that uid runs already.
    #[error("cannot start pod `{uid}`: a pod of that uid is running")]
    AlreadyRunning {
        /// The pod.
        uid: String,
    },
    /// The sandbox could not be made.
    #[error("cannot start pod `{uid}`: {message}")]
    Sandbox {
        /// The pod.
        uid: String,
        /// What failed, on what, and why.
        message: String,
    },
    /// The supervisor refused a request.
    #[error("pod `{uid}`: {message}")]
    Refused {
        /// The pod.
        uid: String,
        /// What was asked and why it is refused.
        message: String,
    },
    /// The supervisor ended.
    #[error("pod `{uid}`: its supervisor has ended")]
    Lost {
        /// The pod.
        uid: String,
    },
    /// A file or directory of the engine could not be used.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// The pod engine of one instance. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {}

/// A running pod. Cheap to clone; dropping it leaves the pod running.
#[derive(Clone, Debug)]
pub struct PodHandle {}

/// What [`Engine::adopt`] found.
#[derive(Debug)]
pub enum Adopted {
    /// A pod whose supervisor answers.
    Alive(PodHandle),
    /// A pod whose supervisor is gone. Its containers have been killed; its run directory is kept until
    /// [`Engine::remove_lost`].
    Lost(LostPod),
}

/// The remains of a pod whose supervisor is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostPod {
    /// The sandbox as it was started.
    pub sandbox: PodSandbox,
    /// The last known states; a container that was running is reported as exited, reason
    /// `ContainerStatusUnknown`, code 137.
    pub state: PodState,
}

/// The files a program run by [`PodHandle::exec`] gets as stdin, stdout and stderr.
#[derive(Debug)]
pub struct ExecStdio {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

impl Engine {
    /// Makes the engine of `instance` (one path component, unique on the host).
    ///
    /// Creates `dirs.pods` and the instance's cgroup, and moves the zygote there.
    pub fn new(zygote: Zygote, dirs: EngineDirs, instance: &str) -> Result<Self, EngineError> {
        unimplemented!()
    }

    /// Starts a pod's sandbox: its supervisor, namespaces and cgroup. No container runs yet.
    ///
    /// A run directory left by a dead supervisor is cleaned first.
    pub async fn start_pod(&self, sandbox: PodSandbox) -> Result<PodHandle, EngineError> {
        unimplemented!()
    }

    /// Finds every pod of the instance, alive or lost. Called once, when the daemon starts.
    pub async fn adopt(&self) -> Result<Vec<Adopted>, EngineError> {
        unimplemented!()
    }

    /// Removes what is left of a pod whose supervisor is gone: processes, cgroup, run directory.
    pub async fn remove_lost(&self, uid: &str) -> Result<(), EngineError> {
        unimplemented!()
    }

    /// Stops and removes every pod of an instance, also those whose supervisors are dead, and its cgroup.
    pub async fn remove_instance(dirs: &EngineDirs, instance: &str) -> Result<(), EngineError> {
        unimplemented!()
    }
}

impl PodHandle {
    /// The sandbox the pod was started with.
    pub fn sandbox(&self) -> &PodSandbox {
        unimplemented!()
    }

    /// The supervisor's process id; `/proc/<pid>/ns/{net,ipc,uts}` are the pod's namespaces.
    pub fn supervisor_pid(&self) -> u32 {
        unimplemented!()
    }

    /// Starts a container, or replaces one of the same name that has ended.
    ///
    /// Returns when its program was executed or could not be: a start that fails is an exit with code 128 in the
    /// returned state, and the restart policy applies to it.
    pub async fn start(&self, spec: ContainerSpec) -> Result<ContainerState, EngineError> {
        unimplemented!()
    }

    /// Stops a container and does not start it again: sends `signal` (by default the container's stop signal),
    /// waits `grace`, kills. Returns its state once nothing of it runs. A second call can only shorten the grace.
    pub async fn stop(&self, name: &str, grace: Duration, signal: Option<i32>) -> Result<ContainerState, EngineError> {
        unimplemented!()
    }

    /// Stops all containers in parallel within `grace` and forbids restarts. Returns once nothing runs. A second
    /// call can only shorten the grace; a restart of the daemon does not lengthen it.
    pub async fn stop_all(&self, grace: Duration) -> Result<PodState, EngineError> {
        unimplemented!()
    }

    /// Sends `signal` to a container's first process.
    pub async fn signal(&self, name: &str, signal: i32) -> Result<(), EngineError> {
        unimplemented!()
    }

    /// Runs a program in a running container with the given files and returns how it ended.
    pub async fn exec(&self, spec: ExecSpec, stdio: ExecStdio) -> Result<ExecExit, EngineError> {
        unimplemented!()
    }

    /// Asks the supervisor for the state of every container.
    pub async fn status(&self) -> Result<PodState, EngineError> {
        unimplemented!()
    }

    /// Subscribes to what happens from now on. A receiver that lags asks [`PodHandle::status`].
    pub fn events(&self) -> broadcast::Receiver<PodEvent> {
        unimplemented!()
    }

    /// Reads what a container uses from its cgroup.
    pub fn usage(&self, name: &str) -> Result<Usage, EngineError> {
        unimplemented!()
    }

    /// Kills what still runs and removes the pod: supervisor, cgroup, namespaces, run directory. Logs stay.
    pub async fn remove(&self) -> Result<(), EngineError> {
        unimplemented!()
    }
}
