//! Why a registry did not deliver.

use oci_client::errors::OciDistributionError;

/// Why the registry did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The registry says that there is no such thing.
    #[error("{what} not found in registry `{registry}`")]
    NotFound {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
    },
    /// The registry wants other credentials, or hides that there is no such thing.
    #[error("registry `{registry}` denies access to {what}: it does not exist, or needs credentials")]
    Denied {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
        /// The registry's answer.
        #[source]
        source: Box<OciDistributionError>,
    },
    /// The registry cannot be reached or is in trouble.
    #[error("registry `{registry}` is unavailable while asked for {what}")]
    Unavailable {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry limits the rate of requests.
    #[error("registry `{registry}` answers that there were too many requests")]
    TooManyRequests {
        /// Whom.
        registry: String,
    },
    /// No byte arrived for too long.
    #[error("registry `{registry}` stopped sending {what} for {seconds} s")]
    Stalled {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
        /// The bound.
        seconds: u64,
    },
    /// The registry sends other bytes than the digest promises.
    #[error("registry `{registry}` sent wrong bytes for {what}: their digest is `{found}`")]
    WrongDigest {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
        /// Of the bytes.
        found: String,
    },
    /// More bytes than allowed or announced.
    #[error("{what} of registry `{registry}` is larger than {bytes_max} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
        /// The bound.
        bytes_max: u64,
    },
    /// The answer breaks the protocol.
    #[error("registry `{registry}` gave an unusable answer when asked for {what}")]
    Protocol {
        /// What was asked for.
        what: String,
        /// Whom.
        registry: String,
        /// What was wrong.
        #[source]
        source: Box<OciDistributionError>,
    },
    /// A download cannot be written.
    #[error("cannot write {what}")]
    Write {
        /// What was asked for.
        what: String,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
}

impl FetchError {
    /// Tells whether the same request may succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Stalled { .. } | Self::TooManyRequests { .. })
    }
}
