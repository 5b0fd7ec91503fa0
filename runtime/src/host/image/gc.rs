//! Removes what nothing needs any more.

use std::collections::BTreeSet;
use std::fs;
use std::sync::PoisonError;

use super::blobs::unique_name;
use super::store::{Inner, StoreError};
use super::{Digest, ImageStore};

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Blobs removed.
    pub blobs: usize,
    /// Unpacked layers removed.
    pub layers: usize,
    /// Bytes that they held.
    pub bytes: u64,
}

impl ImageStore {
    /// Removes every blob and layer that no name, no running pull and no digest of `in_use` needs. Blocks: call it
    /// from a blocking task.
    ///
    /// `in_use` holds [`Image::digest`] of everything that runs or is about to: a name may have moved on while
    /// containers still run from the content it stood for. When the content of one of those cannot be told (its
    /// manifest is damaged), nothing is removed.
    pub fn gc(&self, in_use: &BTreeSet<Digest>) -> Result<GcReport, StoreError> {
        self.inner.gc(in_use)
    }
}

impl Inner {
    fn gc(&self, in_use: &BTreeSet<Digest>) -> Result<GcReport, StoreError> {
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |action| StoreError::io(action, &self.dir);
        let host = self.host_in_use(in_use);
        let mut roots: BTreeSet<Digest> =
            self.refs.list().map_err(failed("list names"))?.into_iter().map(|record| record.digest).collect();
        roots.extend(in_use.iter().cloned());
        let (mut blobs, mut layers) = (BTreeSet::new(), BTreeSet::new());
        for root in &roots {
            match self.contents(root)? {
                Some(contents) => {
                    blobs.insert(contents.manifest.config.digest.clone());
                    layers.extend(contents.chain);
                }
                None if in_use.contains(root) && !host.contains(root) => {
                    tracing::warn!(digest = %root, "an image in use cannot be read: nothing is collected");
                    return Ok(GcReport::default());
                }
                None => {}
            }
        }
        blobs.extend(roots);
        let mut report = GcReport::default();
        for (digest, bytes) in self.blobs.list().map_err(failed("list blobs"))? {
            if !blobs.contains(&digest)
                && let Some(removed) = self.pins.unless_pinned(&digest, || self.blobs.remove(&digest))
            {
                removed.map_err(failed("remove a blob"))?;
                report.blobs += 1;
                report.bytes += bytes;
            }
        }
        self.gc_dir("layers", &layers, &mut report)?;
        self.gc_dir("host", &host, &mut report)?;
        Ok(report)
    }

    fn gc_dir(&self, sub: &str, keep: &BTreeSet<Digest>, report: &mut GcReport) -> Result<(), StoreError> {
        let dir = self.dir.join(sub);
        let failed = || StoreError::io("remove a layer", &dir);
        for item in fs::read_dir(&dir).map_err(failed())? {
            let item = item.map_err(failed())?;
            let Ok(digest) = format!("sha256:{}", item.file_name().to_string_lossy()).parse::<Digest>() else {
                continue;
            };
            if keep.contains(&digest) {
                continue;
            }
            let bytes = self.layer_bytes(&digest);
            let gone = unique_name("gone");
            let moved = self.pins.unless_pinned(&digest, || fs::rename(item.path(), self.scratch().join(&gone)));
            if let Some(moved) = moved {
                moved.map_err(failed())?;
                self.discard(&gone);
                report.layers += 1;
                report.bytes += bytes;
            }
        }
        Ok(())
    }
}
