//! The API server's way to containers: logs and commands, through the node agent.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::Timestamp;
use bowline_runtime::api::kinds::Pod;
use bowline_runtime::host::agent::{Agent, ExecError, ExecRequest, LogError, LogOptions};
use bowline_runtime::store::objects::StatusError;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio::net::unix::pipe;

use crate::server::{ExecQuery, ExecSession, LogQuery, LogStream, PodStreams};

/// The agent behind the API.
pub(super) struct AgentStreams {
    agent: Arc<Agent>,
}

impl AgentStreams {
    pub(super) fn new(agent: Arc<Agent>) -> Self {
        Self { agent }
    }
}

impl PodStreams for AgentStreams {
    fn log<'a>(
        &'a self,
        namespace: &'a str,
        pod: &'a str,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, StatusError>> {
        Box::pin(async move {
            let ago = |secs: u64| Timestamp::from_system(std::time::SystemTime::now()) - Duration::from_secs(secs);
            let count = |value: Option<u64>| value.map(|value| usize::try_from(value).unwrap_or(usize::MAX));
            let options = LogOptions {
                container: Some(query.container).filter(|name| !name.is_empty()),
                follow: query.follow,
                previous: query.previous,
                tail_lines: count(query.tail_lines),
                since: query.since_time.or(query.since_seconds.map(ago)),
                timestamps: query.timestamps,
                limit_bytes: count(query.limit_bytes),
            };
            let lines = self.agent.logs(namespace, pod, options).map_err(|error| match error {
                LogError::NoPod(name) => StatusError::not_found(Pod::kind(), &name),
                error => StatusError::bad_request(error.to_string()),
            })?;
            let stream: LogStream = Box::pin(stream::unfold(lines, |mut lines| async move {
                let next = lines.recv().await?;
                Some((next, lines))
            }));
            Ok(stream)
        })
    }

    fn exec<'a>(
        &'a self,
        namespace: &'a str,
        pod: &'a str,
        query: ExecQuery,
    ) -> BoxFuture<'a, Result<ExecSession, StatusError>> {
        Box::pin(async move {
            if query.tty {
                return Err(StatusError::bad_request("a terminal is not offered in this release: leave `tty` out"));
            }
            let request = ExecRequest {
                namespace: namespace.to_owned(),
                pod: pod.to_owned(),
                container: Some(query.container).filter(|name| !name.is_empty()),
                command: query.command,
                stdin: query.stdin,
            };
            let session = self.agent.exec(&request).await.map_err(|error| match error {
                ExecError::NoPod(name) => StatusError::not_found(Pod::kind(), &name),
                ExecError::Failed(why) => StatusError::internal(&why),
                error => StatusError::bad_request(error.to_string()),
            })?;
            let failed = |error: io::Error| StatusError::internal(&error.to_string());
            let reader = |fd: OwnedFd| pipe::Receiver::from_owned_fd(fd).map_err(failed);
            let (stdout, stderr) = (reader(session.stdout)?, reader(session.stderr)?);
            let stdin = session.stdin.map(pipe::Sender::from_owned_fd).transpose().map_err(failed)?;
            let exit = session.exit;
            Ok(ExecSession {
                stdin: stdin.map(|pipe| Box::new(pipe) as _),
                stdout: query.stdout.then(|| Box::new(stdout) as _),
                stderr: query.stderr.then(|| Box::new(stderr) as _),
                resize: None,
                exit: Box::pin(async move { exit.await.map_err(io::Error::other)?.map_err(io::Error::other) }),
            })
        })
    }
}
