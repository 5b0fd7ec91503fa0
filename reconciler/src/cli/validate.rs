//! `bowline validate`: checks a directory offline, for CI.

use std::path::PathBuf;

use serde_json::json;

use super::output::{self, Format, Tone};
use super::{Context, exit};
use crate::check;

/// Check the manifests of a directory, without a daemon
///
/// Reads what an Application with this path would read, follows the Applications declared there into their own
/// directories, and reports every mistake with its file and line.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory to check
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Runs the verb.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<u8> {
    let report = check::directory(&args.dir)?;
    let failed = !report.errors.is_empty();
    match context.format {
        Format::Json | Format::Yaml => {
            let value = json!({
                "objects": report.objects,
                "errors": report.errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "warnings": report.warnings,
            });
            output::machine(context.format, &value)?;
        }
        Format::Human | Format::Wide | Format::Name => {
            for warning in &report.warnings {
                output::print(&format!("{} {}\n", output::tone(Tone::Warn, "warning:"), output::printable(warning)))?;
            }
            for error in &report.errors {
                output::print(&format!(
                    "{} {}\n",
                    output::tone(Tone::Bad, "error:"),
                    output::printable(&error.to_string())
                ))?;
            }
            let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
            output::print(&format!(
                "{}: {}, {}, {}\n",
                args.dir.display(),
                plural(report.objects, "object"),
                plural(report.errors.len(), "error"),
                plural(report.warnings.len(), "warning"),
            ))?;
        }
    }
    Ok(if failed { exit::FAILED } else { exit::OK })
}
