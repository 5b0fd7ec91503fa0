//! The command line: one file a verb, each a client of the daemon's API unless it works offline.
//!
//! Prints and asks; decides nothing that the daemon decides.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

mod client;
mod down;
mod exec;
mod get;
mod image;
mod init;
mod logs;
mod output;
mod paths;
mod plan;
mod progress;
mod schedule;
mod status;
mod up;
mod validate;

pub use client::{Client, ClientError, SOCKET};

/// Exit codes, as the manual states them.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Failed, or rejected.
    pub const FAILED: u8 = 1;
    /// `plan --exit-code`: there are changes.
    pub const CHANGES: u8 = 2;
}

/// Makes this host run what a Git repository says
///
/// Start with `bowline init DIR`, then `bowline up DIR`.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// Directory that holds this instance: store, images, sockets, logs
    #[arg(long, global = true, env = "BOWLINE_STATE_DIR", default_value = "/var/lib/bowline", value_name = "DIR")]
    state_dir: PathBuf,
    /// Namespace of the objects
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true)]
    all_namespaces: bool,
    /// Form of the result
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum)]
    output: Option<output::Format>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Init(init::Args),
    Up(up::Args),
    Plan(plan::Args),
    Status(status::Args),
    Get(get::Args),
    Logs(logs::Args),
    Exec(exec::Args),
    Image(image::Args),
    Down(down::Args),
    Schedule(schedule::Args),
    Validate(validate::Args),
}

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    client: Client,
    state_dir: PathBuf,
    namespace: String,
    namespace_given: bool,
    all_namespaces: bool,
    format: output::Format,
}

impl Cli {
    /// Runs the verb and returns the program's exit code. Call it before any thread exists: `up` forks its zygote.
    pub fn run(self) -> ExitCode {
        match self.dispatch() {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                eprintln!("error: {}", output::printable(&chain(&error)));
                ExitCode::from(exit::FAILED)
            }
        }
    }

    fn dispatch(self) -> anyhow::Result<u8> {
        let context = Context {
            client: Client::new(&self.global.state_dir),
            state_dir: self.global.state_dir,
            namespace_given: self.global.namespace.is_some(),
            namespace: self.global.namespace.unwrap_or_else(|| "default".into()),
            all_namespaces: self.global.all_namespaces,
            format: self.global.output.unwrap_or_default(),
        };
        match self.verb {
            Verb::Init(args) => init::run(&args),
            Verb::Schedule(args) => schedule::run(&context, &args),
            Verb::Validate(args) => validate::run(&context, &args),
            Verb::Up(args) => up::run(&context, args),
            verb => {
                tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(remote(&context, verb))
            }
        }
    }
}

async fn remote(context: &Context, verb: Verb) -> anyhow::Result<u8> {
    match verb {
        Verb::Plan(args) => plan::run(context, args).await,
        Verb::Status(args) => status::run(context, args).await,
        Verb::Get(args) => get::run(context, args).await,
        Verb::Logs(args) => logs::run(context, args).await,
        Verb::Exec(args) => exec::run(context, args).await,
        Verb::Image(args) => image::run(context, args).await,
        Verb::Down(args) => down::run(context, args).await,
        Verb::Init(_) | Verb::Up(_) | Verb::Schedule(_) | Verb::Validate(_) => {
            unreachable!("invariant: `dispatch` runs the offline verbs")
        }
    }
}

/// Returns an error and its causes, each once, joined by `: `.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
