//! An image's documents together, and what follows from them.

use super::digest::chain_id;
use super::document::{ConfigDocument, Manifest};
use super::{Digest, DocumentError, ImageConfig};

/// What a manifest needs from the store.
pub(super) struct Contents {
    pub manifest: Manifest,
    pub config: ConfigDocument,
    /// Chain ids, bottom first.
    pub chain: Vec<Digest>,
}

impl Contents {
    pub(super) fn new(manifest: Manifest, config: ConfigDocument) -> Self {
        let mut chain: Vec<Digest> = Vec::new();
        for diff_id in &config.rootfs.diff_ids {
            chain.push(chain_id(chain.last(), diff_id));
        }
        Self { manifest, config, chain }
    }

    /// Parses a manifest's own and its configuration's bytes.
    pub(super) fn parse(digest: &Digest, manifest: Manifest, config: &[u8]) -> Result<Self, DocumentError> {
        let config = ConfigDocument::parse(digest, &manifest, config)?;
        Ok(Self::new(manifest, config))
    }

    /// Returns how the image wants to be run.
    pub(super) fn run_config(&self) -> ImageConfig {
        let run = self.config.config.clone().unwrap_or_default();
        ImageConfig {
            entrypoint: run.entrypoint.unwrap_or_default(),
            cmd: run.cmd.unwrap_or_default(),
            env: run.env.unwrap_or_default(),
            working_dir: run.working_dir.unwrap_or_default(),
            user: run.user.unwrap_or_default(),
            stop_signal: run.stop_signal.unwrap_or_default(),
            exposed_ports: run.exposed_ports.unwrap_or_default().into_keys().collect(),
            volumes: run.volumes.unwrap_or_default().into_keys().collect(),
            labels: run.labels.unwrap_or_default(),
        }
    }
}
