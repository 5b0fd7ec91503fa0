//! The zygote: a small process forked before threads and secrets exist, from which supervisors are forked.

/// The daemon's end of its zygote. The zygote ends when this is dropped.
#[derive(Debug)]
pub struct Zygote {}

/// Why the zygote could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the zygote process")]
pub struct ZygoteError {
    #[source]
    source: std::io::Error,
}

impl Zygote {
    /// Forks the zygote. Must be the first thing `main` does: no thread, runtime or secret may exist yet.
    pub fn start() -> Result<Self, ZygoteError> {
        unimplemented!()
    }
}
