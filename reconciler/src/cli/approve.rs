//! `bowline approve`: agrees to what a held commit deletes.

use anyhow::Context as _;
use bowline_runtime::api::kinds::Application;
use serde_json::json;

use super::progress::short;
use super::{Context, ask, exit, output, paths};
use crate::plan::CONFIRM;
use crate::sync::SYSTEM_NAMESPACE;

/// Agree to the deletions of a commit that is held
///
/// Meant is the commit that `bowline status` shows as held, and no other: a newer one that deletes too much is held
/// again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The Application
    #[arg(value_name = "APP")]
    name: String,
    /// Agree without asking
    #[arg(long)]
    yes: bool,
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    let name = &args.name;
    let namespace = if context.namespace_given { &context.namespace } else { SYSTEM_NAMESPACE };
    let path = paths::object(Application::kind(), namespace, name);
    let application: Application =
        serde_json::from_value(context.client.get(&path).await?).context("cannot read the Application")?;
    let Some(held) = application.status.and_then(|status| status.held) else {
        anyhow::bail!("nothing of the Application `{name}` is held: see `bowline status {name}`");
    };
    let commit = short(&held.commit);
    if !args.yes {
        for deletion in &held.deletions {
            output::print(&format!("- {}\n", output::printable(deletion)))?;
        }
        let reason = output::printable(held.reason.as_deref().unwrap_or("Held"));
        let question = format!("{reason}: apply {commit} to `{name}` and delete what it no longer holds?");
        if !ask(&question, "`approve` agrees to deletions")? {
            eprintln!("nothing was agreed to");
            return Ok(exit::FAILED);
        }
    }
    context.client.merge_patch(&path, &json!({"metadata": {"annotations": {CONFIRM: held.commit}}})).await?;
    output::print(&format!("agreed to {commit}; see `bowline status {name} --wait`\n"))?;
    Ok(exit::OK)
}
