//! `bowline down`: ends everything of a state directory.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::{ClientError, Context, ask, exit, output};
use crate::daemon;

/// How long an ordered daemon may take to end.
const DAEMON_END_MAX: Duration = Duration::from_secs(10);

/// Stop every pod and remove every mount, namespace and cgroup of this state directory
///
/// The store, images and logs stay, so that the next `bowline up` brings everything back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stop without asking
    #[arg(long)]
    yes: bool,
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    if !args.yes && !confirmed(context)? {
        eprintln!("nothing was stopped");
        return Ok(exit::FAILED);
    }
    // A running daemon would start everything anew: it goes first, and says when its last pod has ended.
    let stopped = match context.client.send(Method::POST, "/bowline/v1/down", &Value::Null).await {
        Ok(answer) => answer.get("pods").and_then(Value::as_u64).unwrap_or(0),
        Err(ClientError::NotRunning { .. }) => 0,
        Err(error) => return Err(error.into()),
    };
    wait_for_the_end(context).await?;
    let left = daemon::remove_instance(&context.state_dir).await?;
    let pods = stopped + left;
    output::print(&format!("stopped {pods} pod{}\n", if pods == 1 { "" } else { "s" }))?;
    Ok(exit::OK)
}

/// Waits until the daemon has let go of the state directory; what it still does would meet what `down` removes.
async fn wait_for_the_end(context: &Context) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + DAEMON_END_MAX;
    while context.client.is_running().await {
        if tokio::time::Instant::now() > deadline {
            anyhow::bail!(
                "the daemon of `{}` does not end: end it, then say `down` again",
                context.state_dir.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn confirmed(context: &Context) -> anyhow::Result<bool> {
    let dir = context.state_dir.display();
    ask(&format!("Stop every pod of {dir}?"), &format!("`down` stops every pod of `{dir}`"))
}
