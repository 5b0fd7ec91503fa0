//! Programs run in running containers.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::world::{describe, lock};
use super::{Agent, worker};
use crate::api::kinds::Pod;
use crate::host::engine::{ContainerPhase, ExecSpec, ExecStdio};

/// What to run where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container; the first one if `None`.
    pub container: Option<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether standard input is passed on; otherwise it is at its end from the start.
    pub stdin: bool,
}

/// A running program: the caller's ends of its streams, and how it ends.
pub struct ExecSession {
    /// Write standard input here; close it to end the input.
    pub stdin: Option<OwnedFd>,
    /// Read standard output here.
    pub stdout: OwnedFd,
    /// Read standard error here.
    pub stderr: OwnedFd,
    /// Resolves to the exit code.
    pub exit: tokio::task::JoinHandle<Result<i32, ExecError>>,
}

/// Why a program cannot be run in a container.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is no such pod.
    #[error("pods \"{0}\" not found")]
    NoPod(String),
    /// The pod has no such container.
    #[error("container {container} is not valid for pod {pod}")]
    NoContainer {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// The container does not run.
    #[error("cannot exec in a stopped container: container \"{0}\" is not running")]
    NotRunning(String),
    /// There is nothing to run.
    #[error("you must specify at least one command for the container")]
    NoCommand,
    /// The host refused.
    #[error("{0}")]
    Failed(String),
}

impl Agent {
    /// Runs a program in a running container.
    ///
    /// # Errors
    /// [`ExecError`].
    pub async fn exec(self: &Arc<Self>, request: &ExecRequest) -> Result<ExecSession, ExecError> {
        let pod = self.world.snapshot().typed_get::<Pod>(&request.namespace, &request.pod);
        let pod = pod.ok_or_else(|| ExecError::NoPod(request.pod.clone()))?;
        let first = pod.spec.containers.first().map(|container| container.name.clone()).unwrap_or_default();
        let container = request.container.clone().unwrap_or(first);
        if worker::find(&pod, &container).is_none() {
            return Err(ExecError::NoContainer { container, pod: request.pod.clone() });
        }
        if request.command.is_empty() {
            return Err(ExecError::NoCommand);
        }
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let handle = lock(&self.world.handles).get(uid).cloned();
        let handle = handle.ok_or_else(|| ExecError::NotRunning(container.clone()))?;
        let state = handle.status().await.map_err(|error| ExecError::Failed(describe(&error)))?;
        let running =
            state.container(&container).is_some_and(|found| matches!(found.phase, ContainerPhase::Running { .. }));
        if !running {
            return Err(ExecError::NotRunning(container));
        }
        let pipe = || std::io::pipe().map_err(|error| ExecError::Failed(format!("cannot make a pipe: {error}")));
        let ((stdin, own_in), (own_out, stdout), (own_err, stderr)) = (pipe()?, pipe()?, pipe()?);
        let stdio = ExecStdio { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        let spec = ExecSpec::new(container, request.command.clone());
        let exit = tokio::spawn(async move {
            handle.exec(spec, stdio).await.map(|exit| exit.code).map_err(|error| ExecError::Failed(describe(&error)))
        });
        let own_in: OwnedFd = own_in.into();
        Ok(ExecSession { stdin: request.stdin.then_some(own_in), stdout: own_out.into(), stderr: own_err.into(), exit })
    }
}
