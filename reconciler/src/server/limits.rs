//! How much and how slow: the bounds that keep one client from taking the server from the others.

use std::time::Duration;

/// Bounds of all connections and requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once; more wait in the kernel's queue. Each watch holds one, and each costs a descriptor of the
    /// usual 1,024 that a process may have.
    pub connections: usize,
    /// How long a connection may take to send the head of its next request. Longer than the 90 s after which client-go
    /// gives up an idle connection, so that a request never meets a connection that is being closed.
    pub head: Duration,
    /// How long a body may take; upstream bounds a whole request to 34 s.
    pub body: Duration,
    /// How long a peer may take nothing of what is ready for it.
    pub stall: Duration,
    /// The size of a body, as upstream's API server has it.
    pub body_bytes: usize,
    /// The size of a plan's body: a whole repository's objects.
    pub plan_bytes: usize,
}

impl Limits {
    /// The bounds that are served with.
    pub(super) const DEFAULT: Self = Self {
        connections: 512,
        head: Duration::from_secs(100),
        body: Duration::from_secs(34),
        stall: Duration::from_secs(60),
        body_bytes: 3 * 1024 * 1024,
        plan_bytes: 64 * 1024 * 1024,
    };
}
