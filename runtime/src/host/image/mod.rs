//! Images: fetched from registries, loaded from files, or made from the host's own programs, and kept as unpacked
//! layers that overlayfs can stack.
//!
//! The store is content-addressed and crash-safe: a blob or layer is visible under its digest only when it is complete
//! and on disk. Nothing that an image says decides anything on the host: its configuration is handed to the caller as
//! data. The module never mounts anything and never starts a process.
//!
//! Start reading at [`ImageStore`]; then [`ImageStore::pull`], [`ImageStore::load`] and, for hostile input,
//! [`layer`].

mod blobs;
mod contents;
mod digest;
mod document;
mod fetch;
mod gc;
mod host_rootfs;
pub mod layer;
mod load;
mod merged;
mod pins;
mod pull;
mod reference;
mod refs;
mod source;
mod store;
mod user;

#[cfg(test)]
mod registry_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use oci_client::secrets::RegistryAuth;

pub use self::digest::{Digest, DigestParseError};
pub use self::document::DocumentError;
pub use self::fetch::FetchError;
pub use self::gc::GcReport;
pub use self::load::LoadError;
pub use self::pull::{Progress, PullError, PullProgress};
pub use self::reference::{
    HOST_ROOTFS, ImageReference, PullPolicy, PullStep, ReferenceError, decide_pull, speaks_plain_http,
};
pub use self::store::{ImageStore, ListedImage, StoreError, StoreOptions};
pub use self::user::{ResolvedUser, UserError, resolve_user};

/// An image that is complete in the store and can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The normalised name it was asked for by.
    pub reference: String,
    /// Digest of the manifest for this platform: the identity to compare, and to keep from collection.
    pub digest: Digest,
    /// `repository@digest` as the registry answered it, for `status.containerStatuses[].imageID`; the image's own
    /// digest when it did not come from a registry.
    pub image_id: String,
    /// How the image wants to be run.
    pub config: ImageConfig,
    /// Where its files are.
    pub rootfs: RootFs,
}

/// What an image says about running it. Class 2 input: no decision about the host may follow from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments that `args` of a container replaces.
    pub cmd: Vec<String>,
    /// `NAME=value` entries.
    pub env: Vec<String>,
    /// Directory to start in; empty means `/`.
    pub working_dir: String,
    /// `user[:group]`, by name or number; empty means root. See [`resolve_user`].
    pub user: String,
    /// Signal that asks the program to stop, by name or number; empty means `SIGTERM`.
    pub stop_signal: String,
    /// Ports in the form `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Paths that the image declares as volumes.
    pub volumes: Vec<String>,
    /// Labels, uninterpreted.
    pub labels: BTreeMap<String, String>,
}

/// The read-only part of a root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFs {
    /// Lower directories for overlayfs, top first; at least one. Up to 127: longer than the option string of the
    /// old `mount` call, so add them one by one (`lowerdir+` of `fsconfig`).
    pub lowers: Vec<PathBuf>,
    /// Directories of the host to bind read-only over the stack.
    pub binds: Vec<RootBind>,
}

/// A directory of the host that appears in a root file system, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootBind {
    /// On the host.
    pub source: PathBuf,
    /// In the container, absolute. The mount point exists in the lowest layer.
    pub target: PathBuf,
}
