//! What the server needs of those who run the pods: their output, and commands in them.

use std::fmt;
use std::io;

use bowline_runtime::api::Timestamp;
use bowline_runtime::store::objects::StatusError;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// The way to containers, wherever their pods run.
///
/// The server has checked that the pod is stored and that its spec has the container; whether that runs, or has run,
/// only the implementer knows.
pub trait PodStreams: Send + Sync + 'static {
    /// Opens what a container wrote. The stream ends at the end of the log or, of a followed one, when the container
    /// ended; dropping it stops following.
    ///
    /// # Errors
    /// 400 for a container that never started or has no previous run, worded as the kubelet does; 404 for a pod that
    /// is gone meanwhile.
    fn log<'a>(
        &'a self,
        namespace: &'a str,
        pod: &'a str,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, StatusError>>;

    /// Starts a command in a running container. Dropping the session closes its streams; what the command does then
    /// is its own affair, as with Kubernetes.
    ///
    /// # Errors
    /// 400 for a container that does not run, 404 for a pod that is gone, 500 where the command cannot be started:
    /// these are answered before the connection is upgraded.
    fn exec<'a>(
        &'a self,
        namespace: &'a str,
        pod: &'a str,
        query: ExecQuery,
    ) -> BoxFuture<'a, Result<ExecSession, StatusError>>;
}

/// A container's output, in pieces of any size.
pub type LogStream = BoxStream<'static, io::Result<Bytes>>;

/// Which part of a container's output is wanted (`PodLogOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The container; the server has filled it in.
    pub container: String,
    /// Whether to go on until the container ends.
    pub follow: bool,
    /// Whether the run before the present one is meant.
    pub previous: bool,
    /// Only this many lines from the end; zero means only those to come.
    pub tail_lines: Option<u64>,
    /// Only lines of the last so many seconds.
    pub since_seconds: Option<u64>,
    /// Only lines written at this time or later. Never given together with `since_seconds`.
    pub since_time: Option<Timestamp>,
    /// Whether each line begins with its time, RFC 3339 with nanoseconds, and a space.
    pub timestamps: bool,
    /// No more bytes than this. The server enforces it too.
    pub limit_bytes: Option<u64>,
}

/// A command to run in a container (`PodExecOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecQuery {
    /// The container; the server has filled it in.
    pub container: String,
    /// The command and its arguments; never empty.
    pub command: Vec<String>,
    /// Whether the client sends input.
    pub stdin: bool,
    /// Whether the client wants the output.
    pub stdout: bool,
    /// Whether the client wants the errors; false with a terminal, where both are one.
    pub stderr: bool,
    /// Whether the command gets a terminal.
    pub tty: bool,
}

/// A running command. Streams that were not asked for are `None`.
pub struct ExecSession {
    /// Takes the input; dropping it is the input's end.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Gives the output, and of a terminal all there is.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Gives the errors.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Takes changes of the terminal's size; `None` without a terminal.
    pub resize: Option<mpsc::Sender<TerminalSize>>,
    /// Resolves with the exit code, 128 + signal for a killed command, once the command ended.
    pub exit: BoxFuture<'static, io::Result<i32>>,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSession").field("terminal", &self.resize.is_some()).finish_non_exhaustive()
    }
}
