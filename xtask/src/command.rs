//! Running other programs, and finding the workspace's own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Returns the top directory of the workspace.
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("invariant: xtask is a directory of the workspace").to_owned()
}

/// Returns a `cargo` command in the workspace.
pub fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// Builds the `bowline` program alone and returns where it is; one that `BOWLINE_BIN` names is taken as it is.
pub fn build_bowline(release: bool) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("BOWLINE_BIN") {
        println!("using `{}`", Path::new(&path).display());
        return Ok(path.into());
    }
    let profile = if release { "release" } else { "dev" };
    build(cargo(["build", "--package", "bowline", "--bin", "bowline", "--profile", profile, "--message-format=json"]))
}

/// Builds everything in the form that the tests use, so that they compile no dependency a second time, and returns
/// where the `bowline` program is.
pub fn build_workspace_bowline() -> Result<PathBuf> {
    build(cargo(["build", "--workspace", "--all-targets", "--message-format=json"]))
}

fn build(mut command: Command) -> Result<PathBuf> {
    // Messages for people go to standard error; standard output names what was built.
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        for rendered in messages.filter_map(|message| Some(message.pointer("/message/rendered")?.as_str()?.to_owned()))
        {
            eprint!("{rendered}");
        }
        bail!("cannot build bowline: see the errors above");
    }
    text.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message.pointer("/profile/test") == Some(&false.into()))
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_name() == Some(OsStr::new("bowline")))
        .context("cargo built bowline and did not say where: run `cargo clean` and try again")
}

/// Runs a command and returns its standard output.
///
/// # Errors
/// When it cannot be started or fails, with what it wrote to standard error.
pub fn read(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} wrote something that is not UTF-8"))
}

/// Whether the program runs with the rights that namespaces and packages need.
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uids.split_whitespace().nth(1) == Some("0")
}

/// Whether a program is on the search path.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// A directory for one run, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a directory of that name with the process id.
    pub fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(Self(path))
    }
    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove `{}`: {error}", self.0.display());
        }
    }
}

/// Runs `git` in a directory, untouched by the configuration of the host.
pub fn git(dir: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "ada@example.com");
    }
    Ok(read(&mut command)?.trim().to_owned())
}
