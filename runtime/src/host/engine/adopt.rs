//! Finding pods again: those whose supervisors live, and the remains of the others.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::connection::Connection;
use super::handle::PodHandle;
use super::protocol::{Request, RunRecord, SandboxRecord};
use super::spec::PodSandbox;
use super::state::{ContainerPhase, ContainerState, Exit, PodState};
use super::wire::VERSION;
use super::{Engine, EngineDirs, EngineError, instance_group, io_error, remove_dir};
use crate::host::cgroup::{Group, Layout};
use crate::host::supervisor::records;

/// How long the removal of a cgroup waits for processes that were killed.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How long a supervisor may take to greet; it answers in microseconds unless it is stopped or stuck.
const GREETING_PATIENCE: Duration = Duration::from_secs(5);

/// What [`Engine::adopt`] found.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "few exist, for a moment after the daemon's start")]
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

impl Engine {
    /// Finds every pod of the instance, alive or lost. Called once, when the daemon starts.
    ///
    /// A supervisor is recognised by process id, start time and boot id, and by the socket only it can have bound.
    /// Containers of a dead supervisor are killed through their cgroup. Directories that hold no record of a pod are
    /// removed. A supervisor of a newer version is an error: nothing is changed then.
    pub async fn adopt(&self) -> Result<Vec<Adopted>, EngineError> {
        let mut found = Vec::new();
        for (uid, _) in pod_dirs(&self.shared.dirs)? {
            found.extend(self.adopt_one(&uid).await?);
        }
        Ok(found)
    }

    /// Finds one pod; `None` when there is no record of it.
    pub async fn adopt_one(&self, uid: &str) -> Result<Option<Adopted>, EngineError> {
        let dir = self.run_dir(uid);
        let Some(record) = read_sandbox(&dir) else {
            kill_group(self.pod_group(uid)).await?;
            remove_dir(&dir).await?;
            return Ok(None);
        };
        match connect(uid, &dir, &record).await {
            Ok(connection) => Ok(Some(Adopted::Alive(PodHandle::new(record.pod, connection)))),
            Err(error @ EngineError::Version { .. }) => Err(error),
            Err(_) => {
                kill_group(self.pod_group(uid)).await?;
                let state = last_states(&dir);
                Ok(Some(Adopted::Lost(LostPod { sandbox: record.pod.sandbox, state })))
            }
        }
    }

    /// Removes what is left of a pod whose supervisor is gone: processes, cgroup, run directory.
    pub async fn remove_lost(&self, uid: &str) -> Result<(), EngineError> {
        super::check_id(uid)?;
        kill_group(self.pod_group(uid)).await?;
        remove_dir(&self.run_dir(uid)).await
    }

    /// Makes way for a new pod in the run directory of an old one, which must be dead.
    pub(super) async fn clear(&self, uid: &str, dir: &Path) -> Result<(), EngineError> {
        if let Some(record) = read_sandbox(dir)
            && connect(uid, dir, &record).await.is_ok()
        {
            return Err(EngineError::AlreadyRunning { uid: uid.to_owned() });
        }
        kill_group(self.pod_group(uid)).await?;
        remove_dir(dir).await
    }

    /// Stops and removes every pod of an instance, also those whose supervisors are dead, and its cgroup. Containers
    /// are killed without grace: stop pods first where that matters. The daemon of the instance must not run.
    pub async fn remove_instance(dirs: &EngineDirs, instance: &str) -> Result<(), EngineError> {
        super::check_id(instance)?;
        let group = instance_group(Layout::detect()?, instance);
        for (uid, dir) in pod_dirs(dirs)? {
            if let Some(record) = read_sandbox(&dir)
                && let Ok(connection) = connect(&uid, &dir, &record).await
                && connection.request(&Request::Shutdown, &[]).await.is_ok()
            {
                connection.closed().await;
            }
            kill_group(group.child(&format!("pod{uid}"))).await?;
            remove_dir(&dir).await?;
        }
        kill_group(group.clone()).await?;
        // The directory above is shared by all instances: it goes with the last one.
        for hierarchy in &group.layout().hierarchies {
            let _ = fs::remove_dir(hierarchy.mount.join("bowline"));
        }
        Ok(())
    }
}

/// Kills all in a cgroup and removes it, off the runtime's threads.
pub(super) async fn kill_group(group: Group) -> Result<(), EngineError> {
    let removed = tokio::task::spawn_blocking(move || {
        let orphans = group.processes();
        let removed = group.remove(KILL_PATIENCE);
        // Orphans of a dead supervisor are this process's children when it adopts orphans; others are init's.
        for pid in orphans {
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        }
        removed
    })
    .await;
    Ok(removed.expect("invariant: removing a cgroup does not panic")?)
}

fn pod_dirs(dirs: &EngineDirs) -> Result<Vec<(String, PathBuf)>, EngineError> {
    let entries = match fs::read_dir(&dirs.pods) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error("read", &dirs.pods))?,
    };
    let mut list: Vec<(String, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(uid, _)| super::check_id(uid).is_ok())
        .collect();
    list.sort();
    Ok(list)
}

fn read_sandbox(dir: &Path) -> Option<SandboxRecord> {
    records::read::<SandboxRecord>(&dir.join(records::SANDBOX)).ok()
}

/// Connects to the supervisor that wrote `record`, and to no other process.
async fn connect(uid: &str, dir: &Path, record: &SandboxRecord) -> Result<Connection, EngineError> {
    let lost = || EngineError::Lost { uid: uid.to_owned() };
    let same = record.version <= VERSION
        && record.boot_id == records::boot_id()
        && records::start_ticks(record.pid).ok() == Some(record.start_ticks);
    if !same {
        return Err(lost());
    }
    let socket = open_socket(dir).map_err(|_| lost())?;
    let greeted = tokio::time::timeout(GREETING_PATIENCE, Connection::open(uid, socket)).await;
    let connection = greeted.map_err(|_| lost())??;
    let greeting = connection.greeting();
    if (greeting.pid, greeting.start_ticks) == (record.pid, record.start_ticks) { Ok(connection) } else { Err(lost()) }
}

/// Connects through a descriptor of the directory: a socket's path may have 107 bytes only.
fn open_socket(dir: &Path) -> io::Result<StdStream> {
    let dir = fs::File::open(dir)?;
    StdStream::connect(format!("/proc/self/fd/{}/{}", dir.as_raw_fd(), records::SOCKET))
}

/// Reads the last state of each container from its run record.
fn last_states(dir: &Path) -> PodState {
    let entries = fs::read_dir(dir.join(records::STATES)).into_iter().flatten().flatten();
    let mut containers: Vec<ContainerState> = entries
        .filter_map(|entry| records::read::<RunRecord>(&entry.path()).ok())
        .map(|record| after_loss(record.state, SystemTime::now()))
        .collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    PodState { containers, stop_deadline: None }
}

/// Returns what becomes of a state when the supervisor that kept it is gone. Pure.
pub(crate) fn after_loss(mut state: ContainerState, now: SystemTime) -> ContainerState {
    if let ContainerPhase::Running { started, .. } = state.phase {
        let exit = Exit {
            attempt: state.attempt,
            code: 137,
            signal: 9,
            oom: false,
            started,
            finished: now,
            reason: Exit::UNKNOWN.to_owned(),
            message: "The container could not be located when the pod was adopted".to_owned(),
        };
        state.last_exit = Some(exit.clone());
        state.phase = ContainerPhase::Exited(exit);
    }
    state
}
