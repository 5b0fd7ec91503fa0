//! What a container mounts, and the in-memory volumes of its pod.

use std::path::Path;

use super::TranslateError;
use crate::api::kinds::{Container, Volume};
use crate::host::engine::{Mount, MountKind, TmpfsVolume};
use crate::host::image::Image;
use crate::host::volume::Prepared;

/// Returns the in-memory volume that a pod's volume stands for, if it is one.
pub(super) fn memory_volume(volume: &Volume) -> Option<TmpfsVolume> {
    let source = volume.empty_dir.as_ref().filter(|source| source.medium.as_deref() == Some("Memory"))?;
    let size_bytes = source.size_limit.as_ref().and_then(|limit| u64::try_from(limit.bytes()).ok());
    Some(TmpfsVolume { name: volume.name.clone(), size_bytes, mode: 0o1777 })
}

/// Lists the mounts of a container, those below others after them.
pub(super) fn mounts(container: &Container, image: &Image, volumes: &[Prepared]) -> Result<Vec<Mount>, TranslateError> {
    let base = image.rootfs.binds.iter().map(|bind| Mount::bind(&bind.source, bind.target.to_string_lossy(), true));
    let mut mounts: Vec<Mount> = base.collect();
    for mount in &container.volume_mounts {
        let volume = volumes.iter().find(|volume| volume.name() == mount.name);
        let volume = volume.ok_or_else(|| TranslateError::NoVolume(mount.name.clone()))?;
        let sub_path = mount.sub_path.clone().filter(|path| !path.is_empty());
        let kind = match volume {
            Prepared::Directory { path, .. } => MountKind::Bind { source: path.clone(), sub_path, recursive: true },
            Prepared::Memory { name } => MountKind::PodTmpfs { name: name.clone(), sub_path },
        };
        let read_only = mount.read_only == Some(true) || volume.is_read_only();
        mounts.push(Mount { target: mount.mount_path.clone(), read_only, kind });
    }
    // What is mounted below another mount has to come after it.
    mounts.sort_by_key(|mount| Path::new(&mount.target).components().count());
    Ok(mounts)
}
