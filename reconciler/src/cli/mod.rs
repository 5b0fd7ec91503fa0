//! The command line: one file a verb, each a client of the daemon's API unless it works offline.
//!
//! Prints and asks; decides nothing that the daemon decides.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bowline_runtime::api::chain;
use clap::{CommandFactory as _, Parser};

mod approve;
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
mod time;
mod up;
mod validate;

pub use client::{Client, ClientError, SOCKET};

/// Exit codes, as [`EXIT_CODES`] states them to people.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Failed, rejected, or not done in time.
    pub const FAILED: u8 = 1;
    /// `plan --exit-code`: there are changes.
    pub const CHANGES: u8 = 2;
    /// The command line makes no sense. With `plan` it is [`FAILED`], whose 2 has a meaning already.
    pub const USAGE: u8 = 2;
}

/// What `bowline help` says about exit codes.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, rejected, or not done in time
  2  wrong arguments; `plan --exit-code`: there are changes (wrong arguments are 1 there)
  `exec` ends with the exit code of its command.";

/// The heading above the options that every verb takes.
const EVERYWHERE: &str = "Options of every command";

/// Makes this host run what a Git repository says
///
/// Start with `bowline init DIR`, then `bowline up DIR`.
#[derive(Debug, Parser)]
#[command(name = "bowline", version)]
#[command(after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// Namespace of the objects; `default` without it, for `status` `bowline-system`
    #[arg(short, long, global = true, value_name = "NAMESPACE", help_heading = EVERYWHERE, display_order = 100)]
    namespace: Option<String>,
    /// Objects of all namespaces
    #[arg(short = 'A', long, global = true, help_heading = EVERYWHERE, display_order = 101)]
    all_namespaces: bool,
    /// Form of the result: `wide` (every column), `json`, `yaml` or `name` (`kind/name`)
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, help_heading = EVERYWHERE)]
    #[arg(display_order = 102, hide_possible_values = true)]
    output: Option<output::Format>,
    /// Directory that holds this instance: store, images, sockets, logs
    #[arg(long, global = true, env = "BOWLINE_STATE_DIR", default_value = "/var/lib/bowline", value_name = "DIR")]
    #[arg(help_heading = EVERYWHERE, display_order = 103, hide_env_values = true)]
    state_dir: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Init(init::Args),
    Validate(validate::Args),
    Plan(plan::Args),
    Up(up::Args),
    Status(status::Args),
    Approve(approve::Args),
    Get(get::Args),
    Logs(logs::Args),
    Exec(exec::Args),
    Down(down::Args),
    Image(image::Args),
    Schedule(schedule::Args),
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
    /// Reads the program's arguments; what is wrong with them, or the help that they ask for, is printed.
    ///
    /// # Errors
    /// The exit code to end with.
    pub fn read() -> Result<Self, ExitCode> {
        if std::env::args_os().len() < 2 {
            // Not left to `clap`: a state directory in the environment is no argument to it that a person gave.
            let _unwritable = write!(std::io::stderr(), "{}", Self::command().render_help());
            return Err(ExitCode::from(exit::USAGE));
        }
        Self::try_parse().map_err(|error| {
            // Standard output or error may be closed: then there is nobody to tell.
            let _unwritable = error.print();
            let plan = std::env::args().nth(1).is_some_and(|verb| verb == "plan");
            match (error.use_stderr(), plan) {
                (false, _) => ExitCode::from(exit::OK),
                (true, true) => ExitCode::from(exit::FAILED),
                (true, false) => ExitCode::from(exit::USAGE),
            }
        })
    }

    /// Runs the verb and returns the program's exit code. Call it before any thread exists: `up` forks its zygote.
    pub fn run(self) -> ExitCode {
        match self.dispatch() {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                eprintln!("{} {}", output::tone_of_errors("error:"), output::printable(&chain(&*error)));
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

/// Asks a person; `what` tells what happens where nobody can be asked.
fn ask(question: &str, what: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("{what}: say `--yes` when nobody can be asked");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn remote(context: &Context, verb: Verb) -> anyhow::Result<u8> {
    match verb {
        Verb::Plan(args) => plan::run(context, args).await,
        Verb::Status(args) => status::run(context, args).await,
        Verb::Approve(args) => approve::run(context, args).await,
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
