//! The Kubernetes API, and bowline's own endpoints beside it, over HTTP/1.1.
//!
//! Responsible for: what a client may send and how much of it, which call a path and a method mean, and the wire form
//! of answers. One generic implementation serves every kind: what kinds differ in stands in their declarations.
//!
//! Never: decides whether an object may be written (that is `bowline_runtime::store::objects`), keeps state of its own
//! but the snapshots of lists that are being paged, knows whether it listens on a socket file or on TLS.
//!
//! Start reading at [`serve`], then `route`. [`PodStreams`] and [`Admin`] are what the daemon lends to it.

mod accept;
mod admin;
mod answer;
mod body;
mod bowline;
mod discovery;
mod exec;
mod limits;
mod list;
mod log;
mod negotiate;
mod openapi;
mod options;
mod path;
mod patience;
mod refusal;
mod route;
mod scale;
mod streams;
mod watch;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use bowline_runtime::store::objects::Objects;
use tokio::task::JoinHandle;

use limits::Limits;

pub use accept::{BindError, bind};
pub use admin::{Admin, LoadedImage, PlanObject, PlanRequest};
pub use streams::{ExecQuery, ExecSession, LogQuery, LogStream, PodStreams, TerminalSize};

/// What requests are answered from. Clones share everything.
#[derive(Clone)]
pub struct ServerState {
    /// The objects that are served.
    pub objects: Objects,
    /// The way to the containers.
    pub pods: Arc<dyn PodStreams>,
    /// The way to the rest of the daemon.
    pub admin: Arc<dyn Admin>,
}

/// What every request is given.
struct Server {
    state: ServerState,
    pages: list::Pages,
    limits: Limits,
}

/// Serves until the returned task is aborted; that ends its connections too, but for `exec` sessions under way, which
/// end with their command.
///
/// To be called within a tokio runtime. Who may connect is the listener's concern: see [`bind`].
pub fn serve<L: Listener>(listener: L, state: ServerState) -> JoinHandle<()> {
    serve_within(listener, state, Limits::DEFAULT)
}

fn serve_within<L: Listener>(listener: L, state: ServerState, limits: Limits) -> JoinHandle<()> {
    tokio::spawn(accept::accept(listener, router(state, limits), limits))
}

fn router(state: ServerState, limits: Limits) -> Router {
    let server = Server { state, pages: list::Pages::default(), limits };
    Router::new().fallback(route::answer).with_state(Arc::new(server))
}
