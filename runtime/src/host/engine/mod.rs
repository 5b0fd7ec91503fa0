//! The daemon's side of the pod engine: starts pods, finds those that run, talks to their supervisors.
//!
//! It owns the pods' run directories and nothing else. It never holds facts that a supervisor does not hold too:
//! a daemon that is killed loses nothing, and the next one adopts what runs ([`Engine::adopt`]).
//!
//! Start reading at [`Engine`], then [`PodHandle`].

mod adopt;
mod connection;
mod handle;
pub mod protocol;
pub mod spec;
pub mod state;
#[cfg(test)]
pub(super) mod tests;
pub mod wire;

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use adopt::after_loss;
pub use adopt::{Adopted, LostPod};
pub use handle::{ExecStdio, PodHandle, Terminal};
pub use spec::{
    Capabilities, ContainerSpec, ExecSpec, Limits, Mount, MountKind, PodSandbox, RestartPolicy, Rootfs, TmpfsVolume,
    User,
};
pub use state::{ContainerPhase, ContainerState, ExecExit, Exit, PodEvent, PodState, Usage};

use self::connection::Connection;
use self::protocol::SpawnPod;
use super::cgroup::{CgroupError, Group, Layout};
use super::zygote::{Zygote, ZygoteError};

/// Where an instance of the engine keeps its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineDirs {
    /// Directory below which every pod has its run directory, named by its uid.
    pub pods: PathBuf,
}

/// Why an operation of the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The zygote cannot fork, so that no pod can be started.
    #[error("cannot start pod `{uid}`; restart the daemon")]
    Zygote {
        /// The pod.
        uid: String,
        /// Why.
        #[source]
        source: ZygoteError,
    },
    /// A pod of that uid runs already.
    #[error("cannot start pod `{uid}`: a pod of that uid is running")]
    AlreadyRunning {
        /// The pod.
        uid: String,
    },
    /// An id cannot be the name of a file.
    #[error("`{id}` cannot be an id: use letters, digits, `-`, `_` and `.`, at most 128")]
    InvalidId {
        /// The id.
        id: String,
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
    /// The supervisor ended, or speaks another protocol.
    #[error("pod `{uid}`: its supervisor has ended")]
    Lost {
        /// The pod.
        uid: String,
    },
    /// The pod's supervisor was made by a newer version.
    #[error("pod `{uid}`: its supervisor speaks version {version} of the protocol; run the version that started it")]
    Version {
        /// The pod.
        uid: String,
        /// The version it speaks.
        version: u16,
    },
    /// A control group could not be used.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
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

/// Adds what was tried, and on what, to an error.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> EngineError {
    move |source| EngineError::Io { action, path: path.to_owned(), source }
}

/// The pod engine of one instance. Cheap to clone. Its methods need a tokio runtime.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    zygote: Arc<Zygote>,
    dirs: EngineDirs,
    group: Group,
}

/// Names the cgroup of an instance.
fn instance_group(layout: Layout, instance: &str) -> Group {
    Group::new(layout, Path::new("bowline").join(instance))
}

impl Engine {
    /// Makes the engine of `instance` (one path component, unique on the host).
    ///
    /// Creates `dirs.pods` and the instance's cgroup, and moves the zygote there: supervisors must not be in the
    /// daemon's own cgroup, which a service manager kills as a whole. From then on this process adopts the orphans of
    /// its descendants, so that supervisors that end are collected.
    pub fn new(zygote: impl Into<Arc<Zygote>>, dirs: EngineDirs, instance: &str) -> Result<Self, EngineError> {
        let zygote = zygote.into();
        check_id(instance)?;
        fs::create_dir_all(&dirs.pods).map_err(io_error("create", &dirs.pods))?;
        // Refused by no kernel that has cgroup v2 or overlayfs; without it, init collects.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        let group = instance_group(Layout::detect()?, instance);
        let supervisors = group.child("supervisors");
        supervisors.create()?;
        supervisors.attach(zygote.pid())?;
        Ok(Self { shared: Arc::new(Shared { zygote, dirs, group }) })
    }

    /// Where the engine keeps its pods.
    pub fn dirs(&self) -> &EngineDirs {
        &self.shared.dirs
    }

    /// The run directory that a pod of this uid should be given.
    pub fn run_dir(&self, uid: &str) -> PathBuf {
        self.shared.dirs.pods.join(uid)
    }

    /// Starts a pod's sandbox: its supervisor, namespaces and cgroup. No container runs yet.
    ///
    /// The sandbox's run directory must be [`Engine::run_dir`] of its uid. One left by a dead supervisor is cleaned
    /// first.
    pub async fn start_pod(&self, sandbox: PodSandbox) -> Result<PodHandle, EngineError> {
        let uid = sandbox.uid.clone();
        check_id(&uid)?;
        for volume in &sandbox.tmpfs {
            check_id(&volume.name)?;
        }
        if sandbox.run_dir.exists() {
            self.clear(&uid, &sandbox.run_dir).await?;
        }
        fs::create_dir_all(&sandbox.run_dir).map_err(io_error("create", &sandbox.run_dir))?;
        let group = self.pod_group(&uid);
        let pod = SpawnPod { sandbox, layout: group.layout().clone(), cgroup: group.path().to_owned() };
        let (own, theirs) =
            std::os::unix::net::UnixStream::pair().map_err(io_error("connect", &pod.sandbox.run_dir))?;
        let shared = self.shared.clone();
        let request = pod.clone();
        let sent = off_thread(move || shared.zygote.spawn(&request, theirs.as_fd())).await;
        sent.map_err(|source| EngineError::Zygote { uid: uid.clone(), source })?;
        let connected = Connection::open(&uid, own).await;
        if connected.is_err() {
            // What the supervisor left is of no use: it never greeted.
            let _ = remove_dir(&pod.sandbox.run_dir).await;
        }
        Ok(PodHandle::new(pod, connected?))
    }

    fn pod_group(&self, uid: &str) -> Group {
        self.shared.group.child(&format!("pod{uid}"))
    }
}

/// Refuses an id that could not be a file's name.
fn check_id(id: &str) -> Result<(), EngineError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > 128 || id.starts_with('.') || !id.bytes().all(plain) {
        return Err(EngineError::InvalidId { id: id.to_owned() });
    }
    Ok(())
}

/// Removes a directory that may be missing, off the runtime's threads.
async fn remove_dir(path: &Path) -> Result<(), EngineError> {
    let dir = path.to_owned();
    match off_thread(move || fs::remove_dir_all(&dir)).await {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path)(source)),
        _ => Ok(()),
    }
}

/// Does what waits for the kernel or a disk beside the runtime's threads. Never returns when the runtime is ending:
/// whoever waits is ending with it.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
