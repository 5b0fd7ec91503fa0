//! A real Git server: `git http-backend` behind lighttpd, and repositories to serve.
//!
//! Responsible for: servers on loopback ports of their own, over HTTP and TLS, with a public part (`/git/`), one behind
//! a password (`/private/`) and redirects (`/moved/`, `/elsewhere/`); a small TCP server for answers no real server
//! gives; repositories made with the `git` program.
//!
//! Must never: leave a process or a file behind, or listen on anything but loopback.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

const BACKEND: &str = "/usr/lib/git-core/git-http-backend";
const LIGHTTPD: &str = "/usr/sbin/lighttpd";
const TLS_MODULE: &str = "/usr/lib/lighttpd/mod_openssl.so";

/// The user of `/private/`.
pub const USER: &str = "reader";
/// The password of `/private/`.
pub const PASSWORD: &str = "correct-horse";

/// A repository with a work tree, driven by the `git` program.
#[derive(Debug)]
pub struct Repo {
    path: PathBuf,
}

impl Repo {
    /// Makes an empty repository whose first branch is `main`.
    ///
    /// # Errors
    /// Where `git` is missing or fails.
    pub fn init(path: impl Into<PathBuf>) -> Result<Self> {
        let repo = Self { path: path.into() };
        fs::create_dir_all(&repo.path)?;
        repo.git(["init", "--quiet", "--initial-branch=main"])?;
        Ok(repo)
    }

    /// Returns the top directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the files, commits everything, and returns the id of the commit.
    ///
    /// # Errors
    /// Where a file cannot be written or `git` fails.
    pub fn commit(&self, files: &[(&str, &str)], message: &str) -> Result<String> {
        for (name, text) in files {
            let path = self.path.join(name);
            fs::create_dir_all(path.parent().context("a file has a directory")?)?;
            fs::write(path, text)?;
        }
        self.git(["add", "--all"])?;
        self.git(["commit", "--quiet", "--allow-empty", "--message", message])?;
        self.git(["rev-parse", "HEAD"])
    }

    /// Runs `git` in the repository, untouched by the configuration of the host, and returns what it prints.
    ///
    /// # Errors
    /// Where it fails, with what it says.
    pub fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&self.path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
            .output()
            .context("`git` runs")?;
        if !output.status.success() {
            bail!("git: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct GitServer {
    child: Child,
    scheme: &'static str,
    address: SocketAddr,
    state: TempDir,
}

impl GitServer {
    /// Serves the repositories below `root` over HTTP, or over TLS with [`GitServer::ca_pem`]. `None` where a program is
    /// missing, after printing which.
    ///
    /// # Errors
    /// Where a program fails.
    pub fn start(root: &Path, tls: bool) -> Result<Option<Self>> {
        for (path, package) in [(BACKEND, "git"), (LIGHTTPD, "lighttpd"), (TLS_MODULE, "lighttpd-mod-openssl")] {
            if !Path::new(path).exists() {
                println!("skipped: `{path}` is missing, install the package `{package}`");
                return Ok(None);
            }
        }
        let state = tempfile::tempdir()?;
        if tls {
            make_certificates(state.path())?;
        }
        // The listening socket is made here and inherited, so the port is ours and connections queue from the start.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let config = state.path().join("lighttpd.conf");
        fs::write(&config, configuration(root, state.path(), address, tls)?)?;
        let log = fs::File::create(state.path().join("log"))?;
        let child = Command::new(LIGHTTPD)
            .args([OsStr::new("-D"), OsStr::new("-f"), config.as_os_str()])
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("lighttpd starts")?;
        Ok(Some(Self { child, scheme: if tls { "https" } else { "http" }, address, state }))
    }

    /// Returns the URL of a path, for example of `git/config.git`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.address)
    }

    /// Returns the certificate of the authority that signed the server's.
    ///
    /// # Errors
    /// Where the server was started without TLS.
    pub fn ca_pem(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.state.path().join("ca.pem"))?)
    }

    /// Returns the requests that reached Git so far, one line each.
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.state.path().join("access")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(root: &Path, state: &Path, address: SocketAddr, tls: bool) -> Result<String> {
    fs::write(state.join("users"), format!("{USER}:{PASSWORD}\n"))?;
    // lighttpd writes its own access log late, so the CGI program keeps one.
    let backend = state.join("backend");
    let record = r#"echo "$REQUEST_METHOD $PATH_INFO?$QUERY_STRING agent=$HTTP_USER_AGENT""#;
    fs::write(&backend, format!("#!/bin/sh\n{record} >> {}/access\nexec {BACKEND}\n", state.display()))?;
    fs::set_permissions(&backend, fs::Permissions::from_mode(0o755))?;
    let (root, state) = (root.display(), state.display());
    let mut text = format!(
        r#"server.modules = ("mod_alias", "mod_setenv", "mod_redirect", "mod_auth", "mod_authn_file", "mod_cgi")
server.document-root = "{state}"
server.bind = "/dev/stdin"
server.port = {port}
server.errorlog = "{state}/log"
alias.url = ("/git/" => "{state}/backend/", "/private/" => "{state}/backend/")
$HTTP["url"] =~ "^/(git|private)/" {{
  cgi.assign = ("" => "")
  setenv.set-environment = ("GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1")
}}
url.redirect = (
  "^/moved/(.*)" => "/git/$1",
  "^/round/(.*)" => "/round/$1",
  "^/elsewhere/(.*)" => "{scheme}://localhost:{port}/git/$1"
)
auth.backend = "plain"
auth.backend.plain.userfile = "{state}/users"
auth.require = ("/private/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
"#,
        port = address.port(),
        scheme = if tls { "https" } else { "http" },
    );
    if tls {
        write!(
            text,
            "server.modules += (\"mod_openssl\")\nssl.engine = \"enable\"\nssl.pemfile = \"{state}/cert.pem\"\nssl.privkey = \"{state}/key.pem\"\n"
        )?;
    }
    Ok(text)
}

fn make_certificates(directory: &Path) -> Result<()> {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let openssl = |arguments: &[&str]| -> Result<()> {
        let output =
            Command::new("openssl").args(arguments).current_dir(directory).output().context("`openssl` runs")?;
        if !output.status.success() {
            bail!("openssl: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    };
    fs::write(directory.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")?;
    let authority = ["-x509", "-days", "2", "-subj", "/CN=bowline tests", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&["req"][..], &key, &authority].concat())?;
    openssl(&[&["req"][..], &key, &["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"]].concat())?;
    openssl(&[
        "x509",
        "-req",
        "-in",
        "request.pem",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "cert.pem",
    ])
}

/// A TCP server for answers that no real server gives; dropping it ends it.
#[derive(Debug)]
pub struct RawServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`RawServer`] was asked.
#[derive(Debug)]
pub struct Request {
    /// The first line, for example `GET /x/info/refs?service=git-upload-pack HTTP/1.1`.
    pub line: String,
    /// The header lines.
    pub headers: Vec<String>,
    /// The body, by its `content-length`.
    pub body: Vec<u8>,
}

impl RawServer {
    /// Calls `answer` with every request, each on a thread of its own; the connection closes when it returns. The flag
    /// turns true when the server is dropped: an answer that waits looks at it.
    ///
    /// # Errors
    /// Where no port can be bound.
    pub fn start(answer: impl Fn(&Request, &mut TcpStream, &AtomicBool) + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (requests, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, flag, answer) = (requests.clone(), ended.clone(), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let (counter, flag, answer) = (counter.clone(), flag.clone(), answer.clone());
                std::thread::spawn(move || {
                    if let Ok((request, mut stream)) = read_request(stream) {
                        counter.fetch_add(1, Ordering::SeqCst);
                        answer(&request, &mut stream, &flag);
                    }
                });
            }
        });
        Ok(Self { address, requests, ended, thread: Some(thread) })
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Returns how many requests came.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes `incoming`.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_request(stream: TcpStream) -> Result<(Request, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end() {
            "" => break,
            text => headers.push(text.to_owned()),
        }
    }
    let length = headers
        .iter()
        .find_map(|header| {
            header.to_ascii_lowercase().strip_prefix("content-length:").map(|text| text.trim().parse::<usize>())
        })
        .transpose()?
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((Request { line: line.trim_end().to_owned(), headers, body }, reader.into_inner()))
}
