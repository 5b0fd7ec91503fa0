//! Why a pull fails, in the words of the kubelet.

use super::super::document::DocumentError;
use super::super::fetch::FetchError;
use super::super::reference::ReferenceError;
use super::super::store::StoreError;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The name is malformed.
    #[error("failed to apply default image tag \"{image}\"")]
    InvalidName {
        /// The name as asked for.
        image: String,
        /// What is wrong with the name.
        #[source]
        source: ReferenceError,
    },
    /// The policy forbids to fetch what is not here.
    #[error("Container image \"{image}\" is not present with pull policy of Never")]
    NeverPull {
        /// The name as asked for.
        image: String,
    },
    /// The registry did not deliver.
    #[error("failed to pull image \"{image}\"")]
    Fetch {
        /// The name as asked for.
        image: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// The registry has no such image.
    #[error("image \"{image}\" not found in registry {registry}")]
    NotFound {
        /// The name as asked for.
        image: String,
        /// Host and port.
        registry: String,
    },
    /// A document of the image cannot be used.
    #[error("image \"{image}\" cannot run here")]
    Document {
        /// The name as asked for.
        image: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// The store failed.
    #[error("failed to store image \"{image}\"")]
    Store {
        /// The name as asked for.
        image: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The task that unpacks was stopped with the runtime.
    #[error("pull of image \"{image}\" was stopped")]
    Stopped {
        /// The name as asked for.
        image: String,
    },
}

impl PullError {
    /// Returns the kubelet's reason for a container that waits because of this.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => "InvalidImageName",
            Self::NeverPull { .. } => "ErrImageNeverPull",
            Self::Fetch {
                source: FetchError::Unavailable { .. } | FetchError::Stalled { .. } | FetchError::TooManyRequests { .. },
                ..
            } => "RegistryUnavailable",
            _ => "ErrImagePull",
        }
    }

    /// Returns what a person can do about it; empty when the message says it all.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => "write the image as `registry/repository:tag`, in lowercase",
            Self::NeverPull { .. } => "load it with `bowline image load`, or set `imagePullPolicy: IfNotPresent`",
            Self::NotFound { .. } => "check the spelling of repository and tag",
            Self::Fetch { source, .. } => match source {
                FetchError::Denied { .. } => "check the spelling, or give credentials by `imagePullSecrets`",
                FetchError::Unavailable { .. } | FetchError::Stalled { .. } | FetchError::TooManyRequests { .. } => {
                    "the pull is tried again; an image that is here is used with `imagePullPolicy: IfNotPresent`"
                }
                FetchError::WrongDigest { .. } => "the registry's storage or something on the way to it is damaged",
                _ => "",
            },
            Self::Document { .. } => "choose an image that is built for this host's platform",
            Self::Store { source, .. } if source.is_disk_full() => "free space on the file system of the image store",
            Self::Store { .. } | Self::Stopped { .. } => "",
        }
    }

    /// Tells whether the disk or a quota is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Store { source, .. } => source.is_disk_full(),
            Self::Fetch { source: FetchError::Write { source, .. }, .. } => super::super::layer::is_disk_full(source),
            _ => false,
        }
    }
}
