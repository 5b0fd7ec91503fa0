//! Connections: the socket file, how many there may be at once, and how slow they may be.
//!
//! Never looks at a request.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::limits::Limits;
use super::patience::{Patience, Patient};

/// The size of a request's head, and of the buffers of a connection; beyond it, 431.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request; beyond it, 431.
const HEADERS_MAX: usize = 100;

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there.
    #[error("another bowline already serves `{}`: stop it, or name another `--state-dir`", path.display())]
    Served {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("`{}` is in the way and is no socket: remove it, or name another `--state-dir`", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("cannot listen on `{}`: the directory must be writable and its path shorter than 95 bytes", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Listens on a socket file that only its owner may connect to.
///
/// A socket that nobody answers on is what a killed daemon left behind; it is replaced, in one step.
///
/// # Errors
/// Every [`BindError`].
pub fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let refused = |source| BindError::Refused { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotASocket { path: path.to_owned() }),
        Ok(_) if is_answered(path) => return Err(BindError::Served { path: path.to_owned() }),
        Ok(_) => {}
    }
    // Made under another name, so that nobody can connect before the mode is set.
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh).map_err(refused)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).map_err(refused)?;
    fs::rename(&fresh, path).map_err(refused)?;
    Ok(listener)
}

/// Whether a process listens; a full queue is one that does.
fn is_answered(path: &Path) -> bool {
    match UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound),
    }
}

/// Takes connections and serves them.
pub(super) async fn accept<L: Listener>(mut listener: L, router: Router, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (io, place) = next(&mut listener, &places) => {
                connections.spawn(connection(io, router.clone(), place, limits));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn next<L: Listener>(listener: &mut L, places: &Arc<Semaphore>) -> (L::Io, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("invariant: the semaphore is never closed");
    let (io, _) = listener.accept().await;
    (io, place)
}

async fn connection<Io>(io: Io, router: Router, place: OwnedSemaphorePermit, limits: Limits)
where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let patience = Patience::default();
    let io = TokioIo::new(Patient::new(io, patience.clone(), limits.stall));
    let service = TowerToHyperService::new(router.layer(Extension(patience)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the API broke");
    }
    drop(place);
}
