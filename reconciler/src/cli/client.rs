//! The connection to a running daemon: HTTP/1.1 over its unix socket, on the paths of the Kubernetes API.
//!
//! Never touches the store or the kernel: whatever the command line shows came through the API.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio_tungstenite::{WebSocketStream, tungstenite};

/// Why a call to the daemon gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no bowline runs on state directory `{}`: start one with `bowline up`, or name another with `--state-dir`", state_dir.display())]
    NotRunning {
        /// The state directory that was tried.
        state_dir: PathBuf,
    },
    /// The kernel does not let this user or process connect.
    #[error("cannot connect to the bowline of `{}`: only root may, so run this with sudo", state_dir.display())]
    Refused {
        /// The state directory that was tried.
        state_dir: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The daemon answered with a Kubernetes Status.
    #[error("{message}")]
    Status {
        /// The HTTP status.
        code: StatusCode,
        /// The Status' reason, for example `NotFound`.
        reason: String,
        /// The Status' message.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to the daemon broke while asking for `{path}`: is it still running?")]
    Broken {
        /// The path that was asked for.
        path: String,
        /// What the transport said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The daemon answered with something that is no JSON.
    #[error("the daemon's answer to `{path}` is not JSON: client and daemon may be of different versions")]
    NotJson {
        /// The path that was asked for.
        path: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

/// The file name of the socket within a state directory.
pub const SOCKET: &str = "bowline.sock";

/// A client of one state directory's daemon. Opens a connection for each call.
#[derive(Clone, Debug)]
pub struct Client {
    state_dir: PathBuf,
}

impl Client {
    /// Returns a client; nothing is opened yet.
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// Whether a daemon accepts connections.
    pub async fn is_running(&self) -> bool {
        UnixStream::connect(self.state_dir.join(SOCKET)).await.is_ok()
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(self.state_dir.join(SOCKET)).await.map_err(|source| {
            let state_dir = self.state_dir.clone();
            match source.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning { state_dir },
                _ => ClientError::Refused { state_dir, source },
            }
        })
    }

    /// Returns the object or list at a path.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// Sends a JSON body and returns the answer.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(method, path, Some(("application/json", body))).await
    }

    /// Applies a manifest by server-side apply as `manager`.
    ///
    /// # Errors
    /// Every [`ClientError`]; a conflict with another manager is a [`ClientError::Status`].
    pub async fn apply(&self, path: &str, manager: &str, body: &Value) -> Result<Value, ClientError> {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.call(Method::PATCH, &path, Some(("application/apply-patch+yaml", body))).await
    }

    /// Changes an object by a JSON merge patch (RFC 7386).
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn merge_patch(&self, path: &str, patch: &Value) -> Result<Value, ClientError> {
        self.call(Method::PATCH, path, Some(("application/merge-patch+json", patch))).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value, ClientError> {
        let response = self.open(method, path, body).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|source| broken(path, source))?.to_bytes();
        if !status.is_success() {
            return Err(status_error(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|source| ClientError::NotJson { path: path.to_owned(), source })
    }

    /// Starts a request whose body is read as it comes: watches and followed logs.
    ///
    /// # Errors
    /// Every [`ClientError`]; a non-2xx answer is read whole and becomes a [`ClientError::Status`].
    pub async fn stream(&self, path: &str) -> Result<Incoming, ClientError> {
        let response = self.open(Method::GET, path, None).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let bytes = response.into_body().collect().await.map_err(|source| broken(path, source))?.to_bytes();
        Err(status_error(status, &bytes))
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|source| broken(path, source))?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "bowline")
            .header(header::USER_AGENT, concat!("bowline/", env!("CARGO_PKG_VERSION")));
        let mut bytes = Bytes::new();
        if let Some((content_type, value)) = body {
            request = request.header(header::CONTENT_TYPE, content_type);
            bytes = serde_json::to_vec(value).expect("invariant: a JSON value serialises").into();
        }
        let request = request.body(Full::new(bytes)).map_err(|source| broken(path, source))?;
        sender.send_request(request).await.map_err(|source| broken(path, source))
    }

    /// Upgrades to a WebSocket with the `v5.channel.k8s.io` sub-protocol, as `exec` and `attach` need it.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn upgrade(&self, path: &str) -> Result<WebSocketStream<UnixStream>, ClientError> {
        use tungstenite::client::IntoClientRequest;
        let stream = self.connect().await?;
        let mut request = format!("ws://bowline{path}").into_client_request().map_err(|source| broken(path, source))?;
        request
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, http::HeaderValue::from_static("v5.channel.k8s.io"));
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => {
                Err(status_error(response.status(), response.body().as_deref().unwrap_or_default()))
            }
            Err(source) => Err(broken(path, source)),
        }
    }
}

fn broken(path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::Broken { path: path.to_owned(), source: source.into() }
}

fn status_error(code: StatusCode, body: &[u8]) -> ClientError {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| status.get(key).and_then(Value::as_str).map(str::to_owned);
    ClientError::Status {
        code,
        reason: text("reason").unwrap_or_default(),
        message: text("message").unwrap_or_else(|| format!("the daemon answered {code}")),
    }
}
