//! A small client of the daemon's API: one request a connection, over its unix socket.
//!
//! Responsible for: reading objects and recording watches, with nothing of the program under test in between.
//!
//! Must never: outlive its daemon; a watch ends when the daemon does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Sends a request without a body and returns status and answer.
///
/// # Errors
/// Where nobody listens, or the answer is no JSON.
pub fn get(socket: &Path, path: &str) -> Result<(u16, Value)> {
    whole(path, open(socket, path)?)
}

/// Sends a request with a body of the given media type and returns status and answer.
///
/// # Errors
/// As [`get`].
pub fn send(socket: &Path, method: &str, path: &str, media_type: &str, body: &str) -> Result<(u16, Value)> {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nHost: bowline\r\nContent-Type: {media_type}\r\n");
    whole(path, ask(socket, &format!("{head}Content-Length: {length}\r\n\r\n{body}"))?)
}

fn whole(path: &str, (code, mut stream): (u16, BufReader<UnixStream>)) -> Result<(u16, Value)> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok((code, serde_json::from_str(&text).with_context(|| format!("`{path}` answered {code} with `{text}`"))?))
}

fn open(socket: &Path, path: &str) -> Result<(u16, BufReader<UnixStream>)> {
    ask(socket, &format!("GET {path} HTTP/1.0\r\nHost: bowline\r\n\r\n"))
}

/// Asks in HTTP/1.0, so that the body ends with the connection and needs no decoding.
fn ask(socket: &Path, request: &str) -> Result<(u16, BufReader<UnixStream>)> {
    let mut stream = UnixStream::connect(socket).context("the daemon does not listen")?;
    stream.write_all(request.as_bytes())?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).context("the answer is no HTTP")?;
    while !line.trim_end().is_empty() {
        line.clear();
        stream.read_line(&mut line)?;
    }
    Ok((code, stream))
}

/// A watch whose events are kept from its start on.
#[derive(Debug)]
pub struct Recording {
    connection: UnixStream,
    events: Arc<Mutex<Vec<Value>>>,
    thread: Option<JoinHandle<()>>,
}

impl Recording {
    /// Starts to record; what exists comes first, as `ADDED`.
    ///
    /// # Errors
    /// Where the daemon refuses.
    pub fn start(socket: &Path, path: &str) -> Result<Self> {
        let (code, mut stream) = open(socket, &format!("{path}?watch=true"))?;
        if code != 200 {
            bail!("watching `{path}` answered {code}");
        }
        let connection = stream.get_ref().try_clone()?;
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = events.clone();
        let thread = std::thread::spawn(move || {
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                if let Ok(event) = serde_json::from_str(&line) {
                    kept.lock().expect("no holder panics").push(event);
                }
                line.clear();
            }
        });
        Ok(Self { connection, events, thread: Some(thread) })
    }

    /// Returns the events so far.
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().expect("no holder panics").clone()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Ends the thread's read.
        let _ended = self.connection.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _joined = thread.join();
        }
    }
}
