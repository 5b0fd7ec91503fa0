//! The `exec` subresource of pods: a command in a container, over a WebSocket.
//!
//! Responsible for: the `v5.channel.k8s.io` and `v4.channel.k8s.io` protocols, in which the first byte of a message
//! names its stream. Whatever can be refused is refused before the connection is upgraded.

use std::io;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bowline_runtime::store::objects::StatusError;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::log::container;
use super::options::Query;
use super::patience::Patience;
use super::refusal;
use super::route::Call;
use super::streams::{ExecQuery, ExecSession, TerminalSize};

/// The protocols, best first.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// The streams of a session.
mod channel {
    pub const STDIN: u8 = 0;
    pub const STDOUT: u8 = 1;
    pub const STDERR: u8 = 2;
    pub const ERROR: u8 = 3;
    pub const RESIZE: u8 = 4;
    /// Version 5: the stream in the next byte ends.
    pub const CLOSE: u8 = 255;
}

/// Bytes of output in one message.
const PIECE_BYTES: usize = 32 * 1024;
/// Bytes that a client may send in one message.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Messages on their way to the client.
const QUEUE: usize = 8;
/// How long output may be silent after the command ended, before what still holds it open (a process that it left
/// behind) is not waited for any more.
const DRAIN_IDLE: Duration = Duration::from_millis(500);
/// How long a client may take to agree that the session is over.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the command and upgrades the connection.
pub(super) async fn answer(mut call: Call) -> Result<Response, StatusError> {
    if !matches!(call.parts.method, Method::GET | Method::POST) {
        return Err(refusal::method());
    }
    let mut query = parse(&call.query)?;
    let upgrade = upgrade(&mut call).await?;
    let pod = call.server.state.objects.get(call.kind, call.namespace(), &call.name)?;
    let value = pod.value();
    let first = value.pointer("/spec/containers/0/name").and_then(Value::as_str).unwrap_or_default();
    let wanted = match query.container.as_str() {
        "" => container(&call.name, &value, None).unwrap_or_else(|_| first.to_owned()),
        name => container(&call.name, &value, Some(name))?,
    };
    query.container = wanted;
    if pod.node_name().is_none() {
        return Err(StatusError::bad_request(format!("pod {} does not have a host assigned", call.name)));
    }
    let session = call.server.state.pods.exec(call.namespace(), &call.name, query).await?;
    if let Some(patience) = call.parts.extensions.get::<Patience>() {
        patience.endless();
    }
    Ok(upgrade.on_upgrade(move |socket| run(socket, session)))
}

fn parse(query: &Query) -> Result<ExecQuery, StatusError> {
    let flag = |name: &str| query.flag(name).map(|given| given.unwrap_or(false));
    let tty = flag("tty")?;
    let parsed = ExecQuery {
        container: query.text("container").unwrap_or_default().to_owned(),
        command: query.all("command"),
        stdin: flag("stdin")?,
        stdout: flag("stdout")?,
        stderr: flag("stderr")? && !tty,
        tty,
    };
    if parsed.command.is_empty() {
        return Err(StatusError::bad_request("you must specify a command for the container"));
    }
    if !(parsed.stdin || parsed.stdout || parsed.stderr) {
        return Err(StatusError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    Ok(parsed)
}

async fn upgrade(call: &mut Call) -> Result<WebSocketUpgrade, StatusError> {
    if !call.header(header::UPGRADE).eq_ignore_ascii_case("websocket") {
        return Err(StatusError::bad_request("exec needs an upgrade to a WebSocket; SPDY is not served"));
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut call.parts, &())
        .await
        .map_err(|error| StatusError::bad_request(format!("unable to upgrade the connection: {error}")))?
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .protocols(PROTOCOLS);
    if upgrade.selected_protocol().is_none() {
        let known = PROTOCOLS.join("`, `");
        return Err(StatusError::bad_request(format!("unable to upgrade: the sub-protocols there are: `{known}`")));
    }
    Ok(upgrade)
}

/// Carries the streams until the command ended and its output is sent, or the client is gone.
async fn run(socket: WebSocket, session: ExecSession) {
    let ExecSession { stdin, stdout, stderr, resize, exit } = session;
    let (mut sink, source) = socket.split();
    let (queue, mut messages) = mpsc::channel::<Message>(QUEUE);
    let mut tasks = JoinSet::new();
    tasks.spawn(outputs(stdout, stderr, exit, queue));
    let mut input = std::pin::pin!(inputs(source, stdin, resize));
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else { break };
                if sink.send(message).await.is_err() {
                    break;
                }
            }
            // The client is gone: there is nobody to tell.
            () = &mut input => return,
        }
    }
    let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    if sink.send(Message::Close(Some(close))).await.is_ok() {
        // The client closes too; hanging up before that would break what it still says. Late is as good as never.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, input).await);
    }
}

type Output = Option<Box<dyn AsyncRead + Send + Unpin>>;

/// Sends the output as it comes and, when it and the command ended, the Status.
async fn outputs(
    stdout: Output,
    stderr: Output,
    exit: futures_util::future::BoxFuture<'static, io::Result<i32>>,
    queue: mpsc::Sender<Message>,
) {
    let (pieces, mut ready) = mpsc::channel::<Message>(1);
    let mut tasks = JoinSet::new();
    for (channel, output) in [(channel::STDOUT, stdout), (channel::STDERR, stderr)] {
        if let Some(output) = output {
            tasks.spawn(output_of(channel, output, pieces.clone()));
        }
    }
    drop(pieces);
    let mut exit = exit;
    let mut ended: Option<io::Result<i32>> = None;
    loop {
        tokio::select! {
            piece = ready.recv() => {
                let Some(piece) = piece else { break };
                if queue.send(piece).await.is_err() {
                    return;
                }
            }
            result = &mut exit, if ended.is_none() => ended = Some(result),
            () = tokio::time::sleep(DRAIN_IDLE), if ended.is_some() => break,
        }
    }
    let ended = match ended {
        Some(ended) => ended,
        None => exit.await,
    };
    let status = serde_json::to_vec(&outcome(ended)).expect("invariant: a JSON value serialises");
    // The client may be gone: then there is nobody to tell.
    drop(queue.send(framed(channel::ERROR, &status)).await);
}

async fn output_of(channel: u8, mut output: Box<dyn AsyncRead + Send + Unpin>, pieces: mpsc::Sender<Message>) {
    let mut buffer = vec![0_u8; PIECE_BYTES];
    // A broken pipe is the output's end; how the command ended is told by its exit code.
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        if pieces.send(framed(channel, &buffer[..read])).await.is_err() {
            return;
        }
    }
}

fn framed(channel: u8, data: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(data.len() + 1);
    message.put_u8(channel);
    message.put_slice(data);
    Message::Binary(message.freeze())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resize {
    width: u16,
    height: u16,
}

/// Takes what the client sends; returns when the client is gone.
async fn inputs(
    mut source: SplitStream<WebSocket>,
    mut stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Some(Ok(message)) = source.next().await {
        let data: Bytes = match message {
            Message::Binary(data) => data,
            Message::Text(text) => text.into(),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        match data.split_first() {
            Some((&channel::STDIN, input)) => {
                if let Some(open) = &mut stdin
                    && (open.write_all(input).await.is_err() || open.flush().await.is_err())
                {
                    // The command reads no more; what it says of that is still wanted.
                    stdin = None;
                }
            }
            Some((&channel::CLOSE, [channel::STDIN])) => stdin = None,
            Some((&channel::RESIZE, size)) => {
                if let (Some(resize), Ok(Resize { width, height })) = (&resize, serde_json::from_slice(size)) {
                    // A terminal that is gone needs no size.
                    _ = resize.send(TerminalSize { width, height }).await;
                }
            }
            _ => {}
        }
    }
}

/// Returns the Status that ends a session.
fn outcome(ended: io::Result<i32>) -> Value {
    match ended {
        Ok(0) => json!({"metadata": {}, "status": "Success"}),
        Ok(code) => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        Err(error) => {
            let why = format!("error executing command in container: {error}");
            StatusError::internal(&why).to_value()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_told_as_kubectl_reads_it() {
        let status = outcome(Ok(7));
        assert_eq!(status["reason"], "NonZeroExitCode");
        assert_eq!(status.pointer("/details/causes/0/message"), Some(&json!("7")));
        assert_eq!(outcome(Ok(0))["status"], "Success");
        assert_eq!(outcome(Err(io::Error::other("gone")))["code"], 500);
    }

    #[test]
    fn a_command_needs_words_and_a_stream() {
        let parse = |text: &str| parse(&Query::parse(text)).map_err(|error| error.message);
        assert_eq!(parse("stdout=true"), Err("you must specify a command for the container".to_owned()));
        assert_eq!(parse("command=ls"), Err("you must specify at least 1 of stdin, stdout, stderr".to_owned()));
        let query = parse("command=sh&command=-c&command=a+b&stdout=true&stderr=true&tty=true").expect("is complete");
        assert_eq!(query.command, ["sh", "-c", "a b"]);
        assert!(query.tty && !query.stderr, "a terminal has one output");
    }
}
