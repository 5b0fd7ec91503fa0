//! `bowline image`: the images on this host.

use std::path::PathBuf;

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};

use super::output::{self, Format};
use super::{Context, exit};

/// Work with the images on this host
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Load an OCI layout (directory or tar) or a `docker save` archive
    Load {
        /// File or directory
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    let Verb::Load { file } = args.verb;
    let file = file.canonicalize().with_context(|| format!("cannot find `{}`", file.display()))?;
    let answer = context.client.send(Method::POST, "/bowline/v1/images", &json!({ "path": file })).await?;
    let images = answer.get("images").and_then(Value::as_array).cloned().unwrap_or_default();
    match context.format {
        Format::Json | Format::Yaml => output::machine(context.format, &images)?,
        Format::Human | Format::Wide | Format::Name => {
            for image in &images {
                let text = |key: &str| image.get(key).and_then(Value::as_str).unwrap_or_default();
                output::print(&format!("loaded {} ({})\n", output::printable(text("reference")), text("digest")))?;
            }
        }
    }
    Ok(exit::OK)
}
