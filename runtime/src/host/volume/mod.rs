//! What a pod's volumes are on this host.
//!
//! Responsible for: directories of emptyDir, files of configMap and secret volumes, checks of hostPath. Everything it
//! makes lies below the directories it is given and goes with the pod. Secrets lie below a directory that is meant to
//! be on a memory file system (`/run`), readable by root alone.
//!
//! Must never: follow a path that a ConfigMap's or Secret's key gives, or leave its directory.

mod files;
mod host_path;

use std::path::{Path, PathBuf};

use crate::api::kinds::{ConfigMap, Pod, Secret, Volume};
use crate::store::Snapshot;

use files::{File, write_files};

/// A volume that can be mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// A directory or file of the host.
    Directory {
        /// The volume's name.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// Whether containers may not write to it.
        read_only: bool,
    },
    /// An in-memory volume of the pod's sandbox.
    Memory {
        /// The volume's name.
        name: String,
    },
}

impl Prepared {
    /// Returns the volume's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Directory { name, .. } | Self::Memory { name } => name,
        }
    }
    /// Whether containers may not write to it.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Directory { read_only: true, .. })
    }
}

/// Why a volume cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// A ConfigMap or Secret does not exist, or lacks a key; it may come.
    #[error("MountVolume.SetUp failed for volume \"{volume}\": {message}")]
    NotYet {
        /// The volume.
        volume: String,
        /// What is missing.
        message: String,
    },
    /// The declaration cannot be honoured.
    #[error("volume `{volume}`: {message}")]
    Refused {
        /// The volume.
        volume: String,
        /// Which field, and why.
        message: String,
    },
    /// The host refused.
    #[error("volume `{volume}`: cannot {action} `{path}`")]
    Io {
        /// The volume.
        volume: String,
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// Where a pod's volumes are made.
#[derive(Clone, Debug)]
pub struct VolumeDirs {
    /// For emptyDir and configMap volumes; goes with the pod.
    pub disk: PathBuf,
    /// For secret volumes, on a memory file system; goes with the pod.
    pub memory: PathBuf,
}

/// Prepares every volume of a pod.
///
/// # Errors
/// [`VolumeError`] for the first volume that cannot be prepared.
pub fn prepare(pod: &Pod, snapshot: &Snapshot, dirs: &VolumeDirs) -> Result<Vec<Prepared>, VolumeError> {
    pod.spec.volumes.iter().map(|volume| one(pod, volume, snapshot, dirs)).collect()
}

/// Removes what [`prepare`] made.
///
/// # Errors
/// The first failure of the file system; a directory that is gone already is none.
pub fn remove(dirs: &VolumeDirs) -> std::io::Result<()> {
    for dir in [&dirs.memory, &dirs.disk] {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn one(pod: &Pod, volume: &Volume, snapshot: &Snapshot, dirs: &VolumeDirs) -> Result<Prepared, VolumeError> {
    let name = volume.name.clone();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    if let Some(source) = &volume.host_path {
        let path =
            host_path::check(source).map_err(|message| VolumeError::Refused { volume: name.clone(), message })?;
        return Ok(Prepared::Directory { name, path, read_only: false });
    }
    if let Some(source) = &volume.empty_dir {
        if source.medium.as_deref() == Some("Memory") {
            return Ok(Prepared::Memory { name });
        }
        let path = dirs.disk.join(&name);
        make_directory(&name, &path, 0o777)?;
        return Ok(Prepared::Directory { name, path, read_only: false });
    }
    if let Some(source) = &volume.config_map {
        let wanted = source.name.as_deref().unwrap_or_default();
        let map = snapshot.typed_get::<ConfigMap>(namespace, wanted);
        let files = match &map {
            None if source.optional == Some(true) => Vec::new(),
            None => return Err(not_yet(&name, format!("configmap \"{wanted}\" not found"))),
            Some(map) => {
                let text = map.data.iter().map(|(key, text)| (key.as_str(), text.as_bytes()));
                let binary = map.binary_data.iter().map(|(key, bytes)| (key.as_str(), bytes.0.as_slice()));
                let all = text.chain(binary).collect::<Vec<_>>();
                let optional = source.optional == Some(true);
                files::select(&all, &source.items, source.default_mode, optional)
                    .map_err(|message| not_yet(&name, message))?
            }
        };
        return written(name, &dirs.disk, &files);
    }
    if let Some(source) = &volume.secret {
        let wanted = source.secret_name.as_deref().unwrap_or_default();
        let secret = snapshot.typed_get::<Secret>(namespace, wanted);
        let files = match &secret {
            None if source.optional == Some(true) => Vec::new(),
            None => return Err(not_yet(&name, format!("secret \"{wanted}\" not found"))),
            Some(secret) => {
                let all: Vec<_> = secret.data.iter().map(|(key, bytes)| (key.as_str(), bytes.0.as_slice())).collect();
                let optional = source.optional == Some(true);
                files::select(&all, &source.items, source.default_mode, optional)
                    .map_err(|message| not_yet(&name, message))?
            }
        };
        return written(name, &dirs.memory, &files);
    }
    let message = "this source is not served in this release: use configMap, secret, emptyDir or hostPath".to_owned();
    Err(VolumeError::Refused { volume: name, message })
}

fn not_yet(volume: &str, message: String) -> VolumeError {
    VolumeError::NotYet { volume: volume.to_owned(), message }
}

fn written(name: String, base: &Path, files: &[File<'_>]) -> Result<Prepared, VolumeError> {
    let path = base.join(&name);
    // The directory above is root's alone; inside, the files' own modes decide.
    make_directory(&name, base, 0o700)?;
    make_directory(&name, &path, 0o755)?;
    write_files(&path, files).map_err(|source| VolumeError::Io {
        volume: name.clone(),
        action: "write the files of",
        path: path.clone(),
        source,
    })?;
    Ok(Prepared::Directory { name, path, read_only: true })
}

fn make_directory(volume: &str, path: &Path, mode: u32) -> Result<(), VolumeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed =
        |action| move |source| VolumeError::Io { volume: volume.to_owned(), action, path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed("make"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed("set the mode of"))
}
