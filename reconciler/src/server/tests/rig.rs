//! A served store, and a client that shows all there is of an answer.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bowline_runtime::api::{Timestamp, kinds};
use bowline_runtime::store::objects::{Objects, StatusError};
use bowline_runtime::store::{Options, Store};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::cli::{Client, SOCKET};
use crate::server::limits::Limits;
use crate::server::{
    Admin, ExecQuery, ExecSession, LoadedImage, LogQuery, LogStream, PlanRequest, PodStreams, ServerState, bind,
    serve_within,
};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a socket in a directory of its own; ends with the value.
pub struct Rig {
    pub objects: Objects,
    pub client: Client,
    pub dir: TempDir,
    server: JoinHandle<()>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub async fn rig() -> Rig {
    rig_with(Options::default(), Limits::DEFAULT).await
}

pub async fn rig_with(options: Options, limits: Limits) -> Rig {
    let entropy = AtomicU64::new(1);
    let objects = Objects::new(
        Store::memory_with(options),
        kinds::builtin(),
        Arc::new(|| Timestamp::from_system(SystemTime::now())),
        Arc::new(move || {
            u128::from(entropy.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        }),
    );
    let dir = TempDir::new().expect("a temporary directory");
    let listener = bind(&dir.path().join(SOCKET)).expect("the socket is free");
    let state = ServerState { objects: objects.clone(), pods: Arc::new(Local), admin: Arc::new(Local) };
    let server = serve_within(listener, state, limits);
    let rig = Rig { objects, client: Client::new(dir.path()), dir, server };
    rig.post("/api/v1/namespaces", &json!({"metadata": {"name": "default"}})).await.expect_code(201);
    rig
}

/// An answer that was read whole.
#[derive(Debug)]
pub struct Answer {
    pub code: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    #[track_caller]
    pub fn expect_code(self, code: u16) -> Self {
        assert_eq!(self.code.as_u16(), code, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Writes a refusal as `code reason: message`, and anything else as its code.
    pub fn told(&self) -> String {
        let value = self.value();
        let mut text = self.code.as_u16().to_string();
        if value["kind"] == "Status" && value["status"] == "Failure" {
            assert_eq!(value["code"], self.code.as_u16(), "the Status says the code that HTTP says");
            let word = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            write!(text, " {}: {}", word("reason"), word("message")).expect("a string takes all");
        }
        text
    }

    pub fn warnings(&self) -> Vec<String> {
        let texts = self.headers.get_all("warning").iter();
        texts.map(|text| text.to_str().expect("is ASCII").to_owned()).collect()
    }
}

impl Rig {
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(SOCKET)
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let response = self.open(method, path, headers, body.into()).await;
        let (parts, body) = response.into_parts();
        let body = within(body.collect()).await.expect("the answer comes whole").to_bytes();
        Answer { code: parts.status, headers: parts.headers, body }
    }

    async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> http::Response<Incoming> {
        let stream = UnixStream::connect(self.socket()).await.expect("the server listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        let method: Method = method.parse().expect("a method");
        let mut request =
            Request::builder().method(method).uri(path).header("host", "x").header("user-agent", "test/1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        within(sender.send_request(request)).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, value: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], value.to_string()).await
    }

    pub async fn patch(&self, path: &str, media_type: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[("content-type", media_type)], body.to_string()).await
    }

    pub async fn watch(&self, path: &str) -> Lines {
        let response = self.open("GET", path, &[], Bytes::new()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Lines { body: response.into_body(), text: Vec::new() }
    }

    /// Creates a ConfigMap in `default` and returns its revision.
    pub async fn config(&self, name: &str, labels: Value) -> u64 {
        let value = json!({"metadata": {"name": name, "labels": labels}, "data": {"a": "1"}});
        revision(&self.post(CONFIGS, &value).await.expect_code(201).value())
    }
}

/// The ConfigMaps of the namespace that tests use.
pub const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";
pub const PODS: &str = "/api/v1/namespaces/default/pods";
pub const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
pub const MERGE: &str = "application/merge-patch+json";

pub fn revision(value: &Value) -> u64 {
    let text = value.pointer("/metadata/resourceVersion").and_then(Value::as_str).expect("a revision");
    text.parse().expect("a number")
}

pub fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "web:1"}]},
            },
        },
    })
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"nodeName": "here", "containers": [{"name": "main", "image": "web:1"}]},
    })
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// The lines of a watch.
pub struct Lines {
    body: Incoming,
    text: Vec<u8>,
}

impl Lines {
    /// Returns the next event; `None` at the end of the watch.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line is JSON"));
            }
            let frame = within(self.body.frame()).await?.expect("the watch goes on");
            self.text.extend_from_slice(&frame.into_data().expect("data"));
        }
    }

    /// Returns the next event as `TYPE name`, or `TYPE revision` for a bookmark.
    pub async fn told(&mut self) -> String {
        let Some(event) = self.next().await else { return "end".to_owned() };
        let what = event["type"].as_str().unwrap_or_default();
        let metadata = &event["object"]["metadata"];
        let name = if what == "BOOKMARK" { "resourceVersion" } else { "name" };
        format!("{what} {}", metadata[name].as_str().unwrap_or_default())
    }
}

/// Runs commands on this host, and remembers nothing: what a node agent does beyond that is its own affair.
struct Local;

impl PodStreams for Local {
    fn log<'a>(
        &'a self,
        namespace: &'a str,
        pod: &'a str,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, StatusError>> {
        let told = format!("{namespace}/{pod}/{} {:?} {}\n", query.container, query.tail_lines, query.follow);
        async move {
            if query.previous {
                let message =
                    format!("previous terminated container \"{}\" in pod \"{pod}\" not found", query.container);
                return Err(StatusError::bad_request(message));
            }
            let first = stream::iter([Ok(Bytes::from(told)), Ok(Bytes::from_static(b"second\n"))]);
            Ok(if query.follow { first.chain(stream::pending()).boxed() } else { first.boxed() })
        }
        .boxed()
    }

    fn exec<'a>(&'a self, _: &'a str, _: &'a str, query: ExecQuery) -> BoxFuture<'a, Result<ExecSession, StatusError>> {
        let piped = |wanted: bool| if wanted { Stdio::piped() } else { Stdio::null() };
        async move {
            let mut child = Command::new(&query.command[0])
                .args(&query.command[1..])
                .stdin(piped(query.stdin))
                .stdout(piped(query.stdout))
                .stderr(piped(query.stderr))
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| StatusError::internal(&format!("cannot start `{}`: {error}", query.command[0])))?;
            Ok(ExecSession {
                stdin: child.stdin.take().map(|stdin| Box::new(stdin) as Box<_>),
                stdout: child.stdout.take().map(|stdout| Box::new(stdout) as Box<_>),
                stderr: child.stderr.take().map(|stderr| Box::new(stderr) as Box<_>),
                resize: None,
                exit: async move {
                    let status = child.wait().await?;
                    status.code().ok_or_else(|| io::Error::other("killed"))
                }
                .boxed(),
            })
        }
        .boxed()
    }
}

impl Admin for Local {
    fn plan(&self, applications: Vec<PlanRequest>) -> BoxFuture<'_, Result<Vec<Value>, StatusError>> {
        let plans = applications
            .iter()
            .map(|request| json!({"application": request.application, "objects": request.objects.len()}));
        std::future::ready(Ok(plans.collect())).boxed()
    }
    fn load_images(&self, path: PathBuf) -> BoxFuture<'_, Result<Vec<LoadedImage>, StatusError>> {
        let image = LoadedImage { reference: path.display().to_string(), digest: "sha256:0".to_owned() };
        std::future::ready(Ok(vec![image])).boxed()
    }
    fn down(&self) -> BoxFuture<'_, Result<u64, StatusError>> {
        std::future::ready(Ok(2)).boxed()
    }
}
