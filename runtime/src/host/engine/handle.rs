//! A pod that runs, as the daemon sees it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use super::connection::{Connection, Replies};
use super::protocol::{Reply, Request, SpawnPod};
use super::spec::{ContainerSpec, ExecSpec, PodSandbox};
use super::state::{ContainerState, ExecExit, PodEvent, PodState, Usage};
use super::{EngineError, remove_dir};
use crate::host::cgroup::Group;

/// A running pod. Cheap to clone; dropping it leaves the pod running.
#[derive(Clone, Debug)]
pub struct PodHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pod: SpawnPod,
    connection: Connection,
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

/// A program that runs on a terminal of its container.
#[derive(Debug)]
pub struct Terminal<'a> {
    /// The side of the terminal that shows what the program writes and takes what it reads.
    pub master: OwnedFd,
    replies: Replies<'a>,
    uid: String,
}

impl Terminal<'_> {
    /// Waits for the program's end.
    pub async fn wait(mut self) -> Result<ExecExit, EngineError> {
        let reply = self.replies.next().await?.0;
        exec_exit(&self.uid, reply)
    }
}

fn unexpected(uid: &str, reply: &Reply) -> EngineError {
    EngineError::Refused {
        uid: uid.to_owned(),
        message: format!("its supervisor gave an unexpected answer: {reply:?}"),
    }
}

fn exec_exit(uid: &str, reply: Reply) -> Result<ExecExit, EngineError> {
    match reply {
        Reply::Exec(exit) => Ok(exit),
        other => Err(unexpected(uid, &other)),
    }
}

impl PodHandle {
    pub(super) fn new(pod: SpawnPod, connection: Connection) -> Self {
        Self { inner: Arc::new(Inner { pod, connection }) }
    }

    /// The sandbox the pod was started with.
    pub fn sandbox(&self) -> &PodSandbox {
        &self.inner.pod.sandbox
    }

    /// The supervisor's process id; `/proc/<pid>/ns/{net,ipc,uts}` are the pod's namespaces.
    pub fn supervisor_pid(&self) -> u32 {
        self.inner.connection.greeting().pid
    }

    async fn ask(&self, request: &Request) -> Result<Reply, EngineError> {
        Ok(self.inner.connection.request(request, &[]).await?.next().await?.0)
    }

    async fn ask_container(&self, request: &Request) -> Result<ContainerState, EngineError> {
        match self.ask(request).await? {
            Reply::Container(state) => Ok(state),
            other => Err(unexpected(&self.sandbox().uid, &other)),
        }
    }

    async fn ask_pod(&self, request: &Request) -> Result<PodState, EngineError> {
        match self.ask(request).await? {
            Reply::Pod(state) => Ok(state),
            other => Err(unexpected(&self.sandbox().uid, &other)),
        }
    }

    /// Starts a container, or replaces one of the same name that has ended.
    ///
    /// Returns when its program was executed or could not be: a start that fails is an exit with code 128, reason
    /// `StartError`, in `last_exit` of the returned state, and the restart policy applies to it. Asking again for a
    /// container that runs with the same `spec_hash` returns its state; with another one it is refused. A container
    /// that ended and is started again with the same `spec_hash` sits out its backoff first.
    pub async fn start(&self, spec: ContainerSpec) -> Result<ContainerState, EngineError> {
        self.ask_container(&Request::Start(spec)).await
    }

    /// Stops a container and does not start it again: sends `signal` (by default the container's stop signal),
    /// waits `grace`, kills. Returns its state once nothing of it runs. A second call can only shorten the grace.
    pub async fn stop(&self, name: &str, grace: Duration, signal: Option<i32>) -> Result<ContainerState, EngineError> {
        self.ask_container(&Request::Stop { name: name.to_owned(), grace, signal }).await
    }

    /// Stops all containers in parallel within `grace` and forbids restarts. Returns once nothing runs. A second
    /// call can only shorten the grace; a restart of the daemon does not lengthen it.
    pub async fn stop_all(&self, grace: Duration) -> Result<PodState, EngineError> {
        self.ask_pod(&Request::StopAll { grace }).await
    }

    /// Sends `signal` to a container's first process.
    pub async fn signal(&self, name: &str, signal: i32) -> Result<(), EngineError> {
        self.ask(&Request::Signal { name: name.to_owned(), signal }).await.map(drop)
    }

    /// Runs a program in a running container with the given files and returns how it ended.
    ///
    /// It has the container's user, environment, working directory, rights and cgroup. Why it could not be executed
    /// is written to its stderr, with exit code 126 or 127.
    pub async fn exec(&self, mut spec: ExecSpec, stdio: ExecStdio) -> Result<ExecExit, EngineError> {
        spec.tty = false;
        let fds = [stdio.stdin.as_fd(), stdio.stdout.as_fd(), stdio.stderr.as_fd()];
        let mut replies = self.inner.connection.request(&Request::Exec(spec), &fds).await?;
        drop(stdio);
        exec_exit(&self.sandbox().uid, replies.next().await?.0)
    }

    /// Runs a program in a running container on a terminal of its own.
    pub async fn exec_terminal(&self, mut spec: ExecSpec) -> Result<Terminal<'_>, EngineError> {
        spec.tty = true;
        let mut replies = self.inner.connection.request(&Request::Exec(spec), &[]).await?;
        let uid = self.sandbox().uid.clone();
        match replies.next().await? {
            (Reply::Terminal, mut fds) if fds.len() == 1 => {
                let master = fds.remove(0);
                Ok(Terminal { master, replies, uid })
            }
            (Reply::Exec(exit), _) => Err(EngineError::Refused {
                uid,
                message: format!("the program could not be started on a terminal (exit code {})", exit.code),
            }),
            (other, _) => Err(unexpected(&uid, &other)),
        }
    }

    /// Asks the supervisor for the state of every container.
    pub async fn status(&self) -> Result<PodState, EngineError> {
        self.ask_pod(&Request::Status).await
    }

    /// Subscribes to what happens from now on. A receiver that lags asks [`PodHandle::status`].
    pub fn events(&self) -> broadcast::Receiver<PodEvent> {
        self.inner.connection.events()
    }

    /// Reads what a container uses from its cgroup.
    pub fn usage(&self, name: &str) -> Usage {
        self.group().child(name).usage()
    }

    fn group(&self) -> Group {
        Group::new(self.inner.pod.layout.clone(), self.inner.pod.cgroup.clone())
    }

    /// Kills what still runs and removes the pod: supervisor, cgroup, namespaces, run directory. Logs stay.
    pub async fn remove(&self) -> Result<(), EngineError> {
        match self.ask(&Request::Shutdown).await {
            Ok(_) => self.inner.connection.closed().await,
            Err(EngineError::Lost { .. }) => super::adopt::kill_group(self.group()).await?,
            Err(error) => return Err(error),
        }
        remove_dir(&self.sandbox().run_dir).await
    }
}
