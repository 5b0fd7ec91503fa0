//! A daemon of the built program, on a state directory and a config repository of its own.
//!
//! Responsible for: starting and killing it, running the command line against it, waiting for what it should do, and
//! clearing up whatever happens.
//!
//! Must never: touch another instance, or wait without a deadline.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::api::{self, Recording};
use crate::census::{self, Census};
use crate::git_server::Repo;

/// How long a condition may take: many times what it needs, for hosts that do other work too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; -1 for a signal.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// Fails the test unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the output holds every text.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            let found = self.stdout.contains(text) || self.stderr.contains(text);
            assert!(found, "`{text}` is missing in:\n{}\nstandard error:\n{}", self.stdout, self.stderr);
        }
        self
    }

    /// Returns standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.stdout))
    }
}

/// Returns the built program: `BOWLINE_BIN`, or what cargo builds now.
///
/// # Panics
/// Where cargo fails.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("BOWLINE_BIN") {
            return path.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--package", "bowline", "--bin", "bowline", "--message-format=json"])
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut built = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
        built.find(|path| path.file_name() == Some(OsStr::new("bowline"))).expect("cargo builds bowline")
    })
}

/// Runs the program without a daemon of the test.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    run_command(Command::new(binary()).args(arguments))
}

#[track_caller]
fn run_command(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).env_remove("BOWLINE_STATE_DIR").output().expect("bowline runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], with what was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", PATIENCE.as_secs());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// One instance, and the repository it follows.
#[derive(Debug)]
pub struct Host {
    dir: TempDir,
    repo: Repo,
    daemon: Option<Child>,
    instance: Option<String>,
    starts: u32,
}

impl Host {
    /// Makes an empty repository and state directory. `None` without root, after saying so.
    ///
    /// # Panics
    /// Where no files can be made.
    pub fn new() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        if uids.split_whitespace().nth(1) != Some("0") {
            println!("skipped: it starts pods, which needs root");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("bowline-test-").tempdir().expect("a directory");
        fs::create_dir(dir.path().join("control")).expect("a directory");
        let repo = Repo::init(dir.path().join("config")).expect("a repository");
        Some(Self { dir, repo, daemon: None, instance: None, starts: 0 })
    }

    /// Returns the config repository.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Returns the directory that is `/control` in pods that mount it.
    pub fn control(&self) -> PathBuf {
        self.dir.path().join("control")
    }

    /// Returns a directory for other files of the test.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Returns the daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.state().join("bowline.sock")
    }

    /// Writes and commits files, `CONTROL` in them standing for [`Host::control`], and returns the commit.
    #[track_caller]
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        let control = self.control();
        let texts: Vec<String> =
            files.iter().map(|(_, text)| text.replace("CONTROL", &control.to_string_lossy())).collect();
        let files: Vec<(&str, &str)> =
            files.iter().zip(&texts).map(|((path, _), text)| (*path, text.as_str())).collect();
        let names: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        self.repo.commit(&files, &format!("change {}", names.join(" "))).expect("a commit")
    }

    /// Starts the daemon on the repository and waits until it answers.
    #[track_caller]
    pub fn up(&mut self) {
        let repository = self.repo.path().to_owned();
        self.up_with(&[repository.as_os_str()]);
    }

    /// Starts the daemon with the given arguments of `up` and waits until it answers.
    #[track_caller]
    pub fn up_with(&mut self, arguments: &[&OsStr]) {
        self.starts += 1;
        let log = File::create(self.log()).expect("a log");
        let child = Command::new(binary())
            .arg("up")
            .args(arguments)
            .arg("--state-dir")
            .arg(self.state())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("bowline starts");
        let pid = child.id();
        let child = self.daemon.insert(child);
        let (socket, log) =
            (self.dir.path().join("state/bowline.sock"), self.dir.path().join(format!("log{}", self.starts)));
        wait_for("the daemon answers", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the daemon ended ({status}): {}", fs::read_to_string(&log).unwrap_or_default());
            }
            UnixStream::connect(&socket).ok()
        });
        self.instance = Some(wait_for("the zygote has its cgroup", || census::instance_of(pid)));
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join(format!("log{}", self.starts))
    }

    /// Returns the process id of the daemon.
    ///
    /// # Panics
    /// Where none was started.
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon").id()
    }

    /// Whether the daemon still runs.
    pub fn is_up(&mut self) -> bool {
        self.daemon.as_mut().is_some_and(|daemon| matches!(daemon.try_wait(), Ok(None)))
    }

    /// Kills the daemon without warning, and waits until it is gone.
    ///
    /// # Panics
    /// Where none was started.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon");
        daemon.kill().expect("a signal");
        daemon.wait().expect("its end");
    }

    /// Runs the program on this instance.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run_command(
            Command::new(binary()).arg("--state-dir").arg(self.state()).args(arguments).current_dir(self.repo.path()),
        )
    }

    /// Returns a command on this instance, for tests that read it while it runs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--state-dir").arg(self.state()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Waits for the verdict on the newest commit: `bowline status APP --wait`.
    #[track_caller]
    pub fn verdict(&self, application: &str) -> Ran {
        self.run(&["status", application, "--wait", "--timeout", "60"])
    }

    /// Reads an object or list; `None` where there is none.
    pub fn get(&self, path: &str) -> Option<Value> {
        api::get(&self.socket(), path).ok().filter(|(code, _)| *code == 200).map(|(_, value)| value)
    }

    /// Returns the pods of a namespace that are not being deleted.
    pub fn pods(&self, namespace: &str) -> Vec<Value> {
        let list = self.get(&format!("/api/v1/namespaces/{namespace}/pods")).unwrap_or_default();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect()
    }

    /// Records every change of a namespace's pods.
    #[track_caller]
    pub fn record_pods(&self, namespace: &str) -> Recording {
        Recording::start(&self.socket(), &format!("/api/v1/namespaces/{namespace}/pods")).expect("a watch")
    }

    /// Counts what the instance holds in the kernel.
    ///
    /// # Panics
    /// Where no daemon was ever started.
    pub fn census(&self) -> Census {
        Census::take(self.instance.as_ref().expect("an instance"), &self.state())
    }

    /// Stops everything and returns what was there just before.
    #[track_caller]
    pub fn down(&mut self) -> Census {
        let before = self.census();
        self.run(&["down", "--yes"]).expect(0);
        if let Some(mut daemon) = self.daemon.take() {
            wait_for("the daemon ends after `down`", || daemon.try_wait().expect("its status"));
        }
        before
    }
}

/// Whether a pod is ready, as Services would see it.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for start in 1..=self.starts {
                let log = fs::read_to_string(self.dir.path().join(format!("log{start}"))).unwrap_or_default();
                println!("the daemon's log, start {start}:\n{log}");
            }
        }
        if self.starts > 0 {
            let down = self.command(&["down", "--yes"]).output();
            if !down.as_ref().is_ok_and(|output| output.status.success()) && std::thread::panicking() {
                println!("`bowline down` failed: {down:?}");
            }
        }
        if let Some(mut daemon) = self.daemon.take() {
            // Ended by `down`, unless that failed.
            let _ended = daemon.kill();
            let _reaped = daemon.wait();
        }
    }
}
