//! `bowline plan`: what a directory or repository would change.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};

use super::output::{self, Format};
use super::{Context, exit};
use crate::check;
use crate::source::GitRef;

/// Show what applying a directory or repository would change
///
/// Reads DIR as it is on disk, committed or not, and compares it with what runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory, or the path of a bare repository
    #[arg(value_name = "DIR|REPO", default_value = ".")]
    target: PathBuf,
    /// Directory in it to read
    #[arg(long, value_name = "PATH", default_value = ".")]
    path: String,
    /// Branch, tag or commit to read instead of the files on disk
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Exit with 0 for no change, 2 for changes, 1 for an error
    #[arg(long)]
    exit_code: bool,
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    let loaded = load(&args.target, &args.path, args.reference.as_deref())?;
    let answer =
        context.client.send(Method::POST, "/bowline/v1/plan", &json!({ "applications": loaded.wire() })).await?;
    let plans = answer.get("plans").and_then(Value::as_array).cloned().unwrap_or_default();
    let count = |key: &str| -> usize { plans.iter().filter_map(|plan| plan.get(key)?.as_array()).map(Vec::len).sum() };
    let (steps, problems) = (count("steps"), count("problems") + loaded.errors.len());
    match context.format {
        Format::Json | Format::Yaml => output::machine(context.format, &plans)?,
        Format::Human | Format::Wide | Format::Name => {
            for error in &loaded.errors {
                output::print(&format!("error: {}\n", output::printable(&error.to_string())))?;
            }
            let texts: Vec<&str> = plans.iter().filter_map(|plan| plan.get("text")?.as_str()).collect();
            output::print(&paint(&texts.join("\n")))?;
        }
    }
    Ok(match (problems, steps) {
        (1.., _) => exit::FAILED,
        (0, 1..) if args.exit_code => exit::CHANGES,
        _ => exit::OK,
    })
}

fn load(target: &Path, path: &str, reference: Option<&str>) -> anyhow::Result<check::Loaded> {
    let bare = target.join("HEAD").is_file() && target.join("objects").is_dir();
    if reference.is_some() || bare {
        let reference = reference.map_or(Ok(GitRef::Head), GitRef::parse)?;
        return check::load_repository(target, &reference, path);
    }
    check::load_directory(target, path)
}

/// Colours the lines of a plan by their sign.
fn paint(text: &str) -> String {
    use output::Tone;
    let mut out = String::new();
    for line in text.lines() {
        let line = output::printable(line);
        out.push_str(&match line.split(' ').next() {
            Some("+") => output::tone(Tone::Good, &line),
            Some("-") => output::tone(Tone::Bad, &line),
            Some("~" | "±" | "held" | "warning:") => output::tone(Tone::Warn, &line),
            Some("error:") => output::tone(Tone::Bad, &line),
            _ => line,
        });
        out.push('\n');
    }
    out
}
