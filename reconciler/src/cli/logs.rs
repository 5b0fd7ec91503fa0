//! `bowline logs`: what a container wrote.

use std::io::Write as _;

use http_body_util::BodyExt as _;

use super::{Context, exit, paths};

/// Show what a pod's container wrote
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the pod
    #[arg(value_name = "POD")]
    pod: String,
    /// Container; needed when the pod has several
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Go on until the container ends
    #[arg(short, long)]
    follow: bool,
    /// The container's previous run
    #[arg(short, long)]
    previous: bool,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    /// Begin each line with its time
    #[arg(long)]
    timestamps: bool,
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    let mut query = vec![format!("follow={}", args.follow), format!("previous={}", args.previous)];
    query.push(format!("timestamps={}", args.timestamps));
    if let Some(container) = &args.container {
        query.push(format!("container={}", paths::encode(container)));
    }
    if let Some(tail) = args.tail {
        query.push(format!("tailLines={tail}"));
    }
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?{}",
        paths::encode(&context.namespace),
        paths::encode(&args.pod),
        query.join("&")
    );
    let mut body = context.client.stream(&path).await?;
    let mut out = std::io::stdout().lock();
    while let Some(frame) = body.frame().await {
        let Some(data) = frame?.into_data().ok() else { continue };
        if let Err(error) = out.write_all(&data).and_then(|()| out.flush()) {
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                return Ok(exit::OK);
            }
            return Err(error.into());
        }
    }
    Ok(exit::OK)
}
