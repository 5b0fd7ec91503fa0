//! `cargo xtask demo`: the template, running on this host, gone again afterwards.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::command::{Scratch, build_bowline, git, is_root, read};
use super::daemon::Daemon;

/// Marks the second start of this program, in which Ctrl-C is the daemon's affair.
const GUARD: &str = "BOWLINE_DEMO_GUARDED";

/// Runs the demo; with `once` it ends when everything is healthy or was given up.
pub fn run(once: bool) -> Result<bool> {
    if !is_root() {
        bail!("the demo starts pods and needs root: run `sudo -E cargo xtask demo`");
    }
    if std::env::var_os(GUARD).is_none() {
        return guarded(once);
    }
    // The debug profile: it builds in less than half the time of the release one and shares its objects with
    // `cargo xtask test`, while the demo itself runs for a second or two.
    println!("building bowline");
    let binary = build_bowline(false)?;
    let scratch = Scratch::new("bowline-demo")?;
    let (repository, state) = (scratch.path().join("config"), scratch.path().join("state"));
    print!("{}", read(Command::new(&binary).arg("init").arg(&repository))?);
    if git(&repository, &["config", "user.email"]).is_err() {
        // So that the commands below can be pasted on a host where nobody has told Git a name.
        git(&repository, &["config", "user.name", "You"])?;
        git(&repository, &["config", "user.email", "you@localhost"])?;
    }
    println!("\n$ bowline up {}", repository.display());
    let mut daemon = Daemon::start(&binary, &state, &repository, &scratch.path().join("daemon.log"))?;
    let healthy = show(&daemon, &["status", "--wait", "--timeout", "180"])?;
    show(&daemon, &["get", "pods", "-A"])?;
    if !healthy {
        println!("\nnot healthy; the daemon's log:");
        println!("{}", std::fs::read_to_string(scratch.path().join("daemon.log")).unwrap_or_default());
    }
    if !once && healthy {
        tell(&binary, &repository, &state);
        daemon.wait()?;
        println!("\nstopping the pods and removing everything");
    }
    drop(daemon);
    Ok(healthy)
}

/// Starts this program again with Ctrl-C ignored: the terminal sends it to the daemon too, which ends, and this
/// program then cleans up.
fn guarded(once: bool) -> Result<bool> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(own).arg("demo").env(GUARD, "1");
    if once {
        command.arg("--once");
    }
    // This process must outlive Ctrl-C too: it waits for the other, so it becomes it.
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).context("cannot run `sh`")
}

fn show(daemon: &Daemon, words: &[&str]) -> Result<bool> {
    println!("\n$ bowline {}", words.join(" "));
    Ok(daemon.bowline(words).status().context("cannot run bowline")?.success())
}

fn tell(binary: &Path, repository: &Path, state: &Path) {
    let (binary, repository, state) = (binary.display(), repository.display(), state.display());
    println!(
        "
Everything above runs until you press Ctrl-C here. The first change to try, in a second terminal:

    alias bowline='{binary} --state-dir {state}'
    cd {repository}
    sed -i 's/value: hello/value: good morning/' environments/staging/web.yaml
    bowline plan .
    git commit -am 'staging: another greeting'
    bowline status staging --wait
    bowline get pods -A

And back: `git revert --no-edit HEAD`. What a pod writes: `bowline logs -n staging POD`."
    );
}
