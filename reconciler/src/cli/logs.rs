//! `bowline logs`: what a container wrote.

use http_body_util::BodyExt as _;

use super::{Context, exit, output, paths};

/// Show what a pod's container wrote
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the pod
    #[arg(value_name = "POD")]
    pod: String,
    /// Name of the container; needed when the pod has several
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Go on with what it writes until it ends
    #[arg(short, long)]
    follow: bool,
    /// Show the container's previous run
    #[arg(short, long)]
    previous: bool,
    /// Show only the last N lines
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
        paths::encode(paths::pod(&args.pod)),
        query.join("&")
    );
    let mut body = context.client.stream(&path).await?;
    while let Some(frame) = body.frame().await {
        let Some(data) = frame?.into_data().ok() else { continue };
        output::bytes(&data)?;
    }
    Ok(exit::OK)
}
