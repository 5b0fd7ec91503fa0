//! `bowline exec`: a command in a running container.

use std::io::Write as _;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Context, exit, output, paths};

/// Run a command in a pod's container
///
/// Ends with the command's own exit code.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the pod
    #[arg(value_name = "POD")]
    pod: String,
    /// Name of the container; the first one without it
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Channels of the `v5.channel.k8s.io` protocol: the first byte of each binary message.
mod channel {
    pub const STDIN: u8 = 0;
    pub const STDOUT: u8 = 1;
    pub const STDERR: u8 = 2;
    pub const ERROR: u8 = 3;
    /// Closes the channel whose number follows.
    pub const CLOSE: u8 = 255;
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    let mut query = vec![format!("stdin={}", args.stdin), "stdout=true".into(), "stderr=true".into()];
    if let Some(container) = &args.container {
        query.push(format!("container={}", paths::encode(container)));
    }
    query.extend(args.command.iter().map(|word| format!("command={}", paths::encode(word))));
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/exec?{}",
        paths::encode(&context.namespace),
        paths::encode(paths::pod(&args.pod)),
        query.join("&")
    );
    let (mut sink, mut stream) = context.client.upgrade(&path).await?.split();
    if args.stdin {
        tokio::spawn(async move {
            let mut input = tokio::io::stdin();
            let mut buffer = vec![0_u8; 16 * 1024];
            while let Ok(read @ 1..) = input.read(&mut buffer).await {
                let mut message = vec![channel::STDIN];
                message.extend_from_slice(&buffer[..read]);
                if sink.send(Message::Binary(message.into())).await.is_err() {
                    return;
                }
            }
            let close = Bytes::from_static(&[channel::CLOSE, channel::STDIN]);
            let _ended = sink.send(Message::Binary(close)).await;
            // Dropping the sink would not close the socket: the reading half still holds it.
        });
    }
    while let Some(message) = stream.next().await {
        let Message::Binary(data) = message? else { continue };
        match data.split_first() {
            Some((&channel::STDOUT, rest)) => output::bytes(rest)?,
            Some((&channel::STDERR, rest)) => std::io::stderr().lock().write_all(rest)?,
            Some((&channel::ERROR, rest)) => return outcome(&serde_json::from_slice(rest)?),
            _ => {}
        }
    }
    anyhow::bail!("the connection ended before the command did")
}

/// Reads the Status that ends a session: success, a non-zero exit code, or an error.
fn outcome(status: &Value) -> anyhow::Result<u8> {
    if status.get("status").and_then(Value::as_str) == Some("Success") {
        return Ok(exit::OK);
    }
    let code = status
        .pointer("/details/causes")
        .and_then(Value::as_array)
        .and_then(|causes| causes.iter().find(|cause| cause.get("reason").and_then(Value::as_str) == Some("ExitCode")))
        .and_then(|cause| cause.get("message").and_then(Value::as_str))
        .and_then(|code| code.parse::<u8>().ok());
    match code {
        Some(code) => Ok(code),
        None => anyhow::bail!("{}", status.get("message").and_then(Value::as_str).unwrap_or("the command failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_exit_code_comes_from_the_status() {
        let failed = json!({"status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}});
        assert_eq!(outcome(&failed).expect("a code"), 7);
        assert_eq!(outcome(&json!({"status": "Success"})).expect("a code"), 0);
        assert!(outcome(&json!({"status": "Failure", "message": "no such container"})).is_err());
    }
}
