//! A daemon of a state directory of its own, ended and cleaned up when dropped, and its API.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// How long a daemon may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    binary: PathBuf,
    state_dir: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts `bowline up REPO`, its output in `log`, and waits until it answers.
    pub fn start(binary: &Path, state_dir: &Path, repository: &Path, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
        let child = Command::new(binary)
            .arg("up")
            .arg(repository)
            .arg("--state-dir")
            .arg(state_dir)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start `{}`", binary.display()))?;
        let mut daemon = Self { binary: binary.to_owned(), state_dir: state_dir.to_owned(), child };
        let deadline = Instant::now() + START_PATIENCE;
        while UnixStream::connect(daemon.socket()).is_err() {
            let ended = daemon.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                bail!("bowline does not come up: {}", text.trim());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(daemon)
    }

    fn socket(&self) -> PathBuf {
        self.state_dir.join("bowline.sock")
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the daemon ends by itself.
    pub fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }

    /// Returns a `bowline` command on this daemon.
    pub fn bowline(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--state-dir").arg(&self.state_dir).stdin(Stdio::null());
        command
    }

    /// Sends one request and returns the answer.
    pub fn call(&self, method: &str, path: &str, content_type: &str, body: &str) -> Result<Value> {
        let mut stream = self.request(method, path, content_type, body)?;
        let code = head(&mut stream)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        if !(200..300).contains(&code) {
            bail!("{method} {path}: HTTP {code}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} answered with something that is no JSON"))
    }

    /// Runs a program in a pod's first container by the API's WebSocket, until it says how it ended.
    pub fn exec(&self, namespace: &str, pod: &str, command: &[&str]) -> Result<()> {
        use tungstenite::Message;
        use tungstenite::client::IntoClientRequest as _;
        /// The channel of the outcome, by the first byte of a message.
        const ERROR: u8 = 3;
        let words: String = command.iter().map(|word| format!("&command={word}")).collect();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/exec?stdout=true&stderr=true{words}");
        let mut request = format!("ws://bowline{path}").into_client_request()?;
        let protocol = "v5.channel.k8s.io".parse().context("a header")?;
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let stream = UnixStream::connect(self.socket()).context("the daemon does not listen any more")?;
        let (mut socket, _) = tungstenite::client(request, stream).map_err(|error| anyhow::anyhow!("{error}"))?;
        loop {
            if let Message::Binary(data) = socket.read()?
                && let Some((&ERROR, outcome)) = data.split_first()
            {
                let outcome: Value = serde_json::from_slice(outcome)?;
                anyhow::ensure!(outcome["status"] == "Success", "exec in {pod}: {outcome}");
                return Ok(());
            }
        }
    }

    /// Opens a watch; what exists comes first. Reading waits at most `patience` for an event.
    pub fn watch(&self, path: &str, patience: Duration) -> Result<Watch> {
        let mut stream = self.request("GET", &format!("{path}?watch=true"), "application/json", "")?;
        stream.get_ref().set_read_timeout(Some(patience))?;
        let code = head(&mut stream)?;
        if code != 200 {
            bail!("cannot watch {path}: HTTP {code}");
        }
        Ok(Watch { stream, path: path.to_owned() })
    }

    /// HTTP/1.0, so that the body ends with the connection and needs no decoding.
    fn request(&self, method: &str, path: &str, content_type: &str, body: &str) -> Result<BufReader<UnixStream>> {
        let mut stream = UnixStream::connect(self.socket()).context("the daemon does not listen any more")?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: bowline\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        Ok(BufReader::new(stream))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let down = self.bowline(&["down", "--yes"]).stdout(Stdio::null()).status();
        if !down.is_ok_and(|status| status.success()) {
            eprintln!("`bowline down` failed on `{}`", self.state_dir.display());
        }
        // Ended by `down` already, unless that failed.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Reads status line and headers, and returns the status.
fn head(stream: &mut BufReader<UnixStream>) -> Result<u16> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).context("the daemon's answer is no HTTP")?;
    while line.trim_end() != "" {
        line.clear();
        stream.read_line(&mut line)?;
    }
    Ok(code)
}

/// An open watch.
#[derive(Debug)]
pub struct Watch {
    stream: BufReader<UnixStream>,
    path: String,
}

impl Watch {
    /// Waits for the next event and returns its type and object.
    pub fn next(&mut self) -> Result<(String, Value)> {
        let mut line = String::new();
        let read =
            self.stream.read_line(&mut line).with_context(|| format!("nothing more comes from {}", self.path))?;
        if read == 0 {
            bail!("the watch of {} ended", self.path);
        }
        let mut event: Value = serde_json::from_str(&line).with_context(|| format!("{} sent no JSON", self.path))?;
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok((kind, event.get_mut("object").map(Value::take).unwrap_or_default()))
    }

    /// Waits for an event that satisfies the condition and returns its object.
    pub fn until(&mut self, condition: impl Fn(&str, &Value) -> bool) -> Result<Value> {
        loop {
            let (kind, object) = self.next()?;
            if condition(&kind, &object) {
                return Ok(object);
            }
        }
    }
}
