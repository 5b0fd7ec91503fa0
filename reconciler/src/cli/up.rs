//! `bowline up`: the daemon, in the foreground.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bowline_runtime::api::Key;
use bowline_runtime::api::kinds::{Application, GitRepository};
use bowline_runtime::host::zygote::Zygote;
use bowline_runtime::store::{Snapshot, WatchFilter};

use super::progress::{LOOK_EVERY, Progress, Row};
use super::{Context, exit, time};
use crate::daemon::{Daemon, Repository};
use crate::source::{GitRef, RepoUrl};

/// Make this host run what a repository says, and keep it so
///
/// Without REPO, goes on with what this state directory ran before. Pods outlive the daemon: end it and start it
/// again as you like; `bowline down` stops them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Path or `https://` address of the config repository
    #[arg(value_name = "REPO")]
    repository: Option<String>,
    /// Directory in the repository that says what this host runs
    #[arg(long, value_name = "PATH", default_value = ".")]
    path: String,
    /// Branch, tag or commit to follow; the default branch without it
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Leave when everything is healthy (exit code 0) or a commit is rejected (1); pods keep running
    #[arg(long)]
    once: bool,
    /// How long `--once` waits: seconds, or a span such as `5m`
    #[arg(long, value_name = "TIME", default_value = "300s", requires = "once", value_parser = time::span)]
    timeout: Duration,
}

/// Runs the verb. Forks the zygote first, while the process has one thread and no secrets.
pub fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    if !nix::unistd::geteuid().is_root() {
        anyhow::bail!("`bowline up` starts pods and needs root: run it with sudo or as a systemd service");
    }
    let repository = args.repository.as_deref().map(|text| read_repository(text, &args)).transpose()?;
    let zygote = Zygote::start().context("cannot start the zygote process")?;
    bowline_runtime::host::sys::heap::share_arenas();
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(serve(context, &args, repository, zygote));
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

fn read_repository(text: &str, args: &Args) -> anyhow::Result<Repository> {
    // A path is stored absolute: the daemon's own directory says nothing tomorrow.
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        let path =
            PathBuf::from(text).canonicalize().with_context(|| format!("cannot find the repository `{text}`"))?;
        path.to_string_lossy().into_owned()
    };
    RepoUrl::parse(&url)?;
    let reference = args.reference.as_deref().map(GitRef::parse).transpose()?;
    Ok(Repository { url, reference, path: args.path.clone() })
}

/// Sends logs to standard error; `RUST_LOG` chooses more or less than warnings.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let logs = logs.with_ansi(std::io::stderr().is_terminal());
    // A second initialisation can only come from a test in the same process.
    let _already = logs.try_init();
}

async fn serve(context: &Context, args: &Args, repository: Option<Repository>, zygote: Zygote) -> anyhow::Result<u8> {
    let daemon = Daemon::start(&context.state_dir, zygote).await?;
    if let Some(repository) = &repository {
        daemon.follow(repository).await?;
    }
    println!("bowline runs on {} (node {})", context.state_dir.display(), daemon.node_name());
    let outcome = tokio::select! {
        code = watch(&daemon, args.once) => code,
        () = sleep_if(args.once, args.timeout) => {
            println!("no verdict after {} s; the pods keep running", args.timeout.as_secs());
            Ok(exit::FAILED)
        }
        () = stop_signal() => {
            println!("leaving; the pods keep running (`bowline down` stops them)");
            Ok(exit::OK)
        }
        cause = daemon.ended() => cause.map(|()| exit::OK),
    };
    daemon.shutdown().await;
    outcome
}

/// Prints verdicts as they change; with `once`, returns when all are final and every source was read.
async fn watch(daemon: &Daemon, once: bool) -> anyhow::Result<u8> {
    let filter = WatchFilter::resource("applications.bowline.dev").and("gitrepositories.bowline.dev");
    let mut watcher = daemon.store().watch(None, filter)?;
    let mut progress = Progress::default();
    // What an earlier run found is no verdict on what the repository holds now.
    daemon.request_fetch().await?;
    let mut known = BTreeMap::new();
    loop {
        let rows = rows(&daemon.store().snapshot(), &mut known);
        progress.show(&rows);
        let fetched = daemon.fetched();
        if once && let Err(trouble) = fetched {
            return Err(trouble);
        }
        if once
            && fetched.is_ok_and(|fetched| fetched)
            && !rows.is_empty()
            && rows.iter().all(|row| row.verdict.is_final())
        {
            return Ok(if rows.iter().all(|row| row.verdict.is_good()) { exit::OK } else { exit::FAILED });
        }
        watcher.next().await?;
        tokio::time::sleep(LOOK_EVERY).await;
        while watcher.try_next()?.is_some() {}
    }
}

/// A row with what it was made from: the Application's revision, its source, and the newest commit of that.
struct Known {
    revision: u64,
    source: Key,
    commit: Option<String>,
    row: Row,
}

/// Returns the rows of all Applications; reads only those that changed since `known` was made.
fn rows(snapshot: &Snapshot, known: &mut BTreeMap<Key, Known>) -> Vec<Row> {
    let mut commits: BTreeMap<Key, Option<String>> = BTreeMap::new();
    let mut before = std::mem::take(known);
    let mut rows = Vec::new();
    for stored in snapshot.list(&Application::kind().resource()) {
        let mut newest = |source: &Key| {
            let read = || snapshot.get(source)?.typed::<GitRepository>().ok()?.status.clone()?.revision;
            commits.entry(source.clone()).or_insert_with(read).clone()
        };
        let kept = before
            .remove(stored.key())
            .filter(|known| known.revision == stored.revision() && known.commit == newest(&known.source));
        let fresh = || {
            let application = stored.typed::<Application>().ok()?;
            let source = GitRepository::kind().key(&stored.key().namespace, &application.spec.source.name);
            let commit = newest(&source);
            let row = Row::new(&application, commit.as_deref());
            Some(Known { revision: stored.revision(), source, commit, row })
        };
        if let Some(one) = kept.or_else(fresh) {
            rows.push(one.row.clone());
            known.insert(stored.key().clone(), one);
        }
    }
    rows
}

async fn sleep_if(wanted: bool, time: Duration) {
    if wanted {
        tokio::time::sleep(time).await;
    } else {
        std::future::pending::<()>().await;
    }
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
