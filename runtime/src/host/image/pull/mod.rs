//! Brings an image into the store: asks the registry what the name stands for, fetches what is missing, unpacks it.

mod error;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use oci_client::secrets::RegistryAuth;
use tokio::sync::oneshot;

use super::blobs::unique_name;
use super::contents::Contents;
use super::document::{Descriptor, Document, DocumentError, Manifest};
use super::fetch::{FetchError, Fetcher};
use super::pins::Pin;
use super::reference::{ImageReference, PullPolicy, PullStep, decide_pull};
use super::store::{Inner, StoreError};
use super::{Digest, Image, ImageStore};

pub use self::error::PullError;

/// What a pull is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullProgress {
    /// The registry is asked what the name stands for.
    Resolving,
    /// A layer is on its way.
    Downloading {
        /// Of the layer, as in the manifest.
        digest: Digest,
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A layer is being unpacked.
    Unpacking {
        /// Of the layer, as in the manifest.
        digest: Digest,
    },
}

/// Called as a pull moves on, often; must return at once.
pub type Progress = Arc<dyn Fn(PullProgress) + Send + Sync>;

impl ImageStore {
    /// Returns the image that `image` names, fetched first if `policy` and the store's content ask for it.
    ///
    /// Concurrent pulls share the download and unpacking of each layer. Dropping the future stops the downloads; a
    /// layer that is being unpacked is finished in the background. The result is complete and durable.
    pub async fn pull(
        &self,
        image: &str,
        policy: PullPolicy,
        auth: &RegistryAuth,
        progress: Progress,
    ) -> Result<Image, PullError> {
        let reference = ImageReference::parse(image)
            .map_err(|source| PullError::InvalidName { image: image.to_owned(), source })?;
        let stored = |source| PullError::Store { image: image.to_owned(), source };
        let (inner, asked) = (Arc::clone(&self.inner), reference.clone());
        let present = match reference.is_host_rootfs() {
            true => {
                return self.blocking(image, move || inner.host_image(&asked)).await?.map_err(stored);
            }
            false => self.find(&reference).map_err(stored)?,
        };
        match (decide_pull(policy, present.is_some()), present) {
            (PullStep::UseLocal, Some(present)) => Ok(present),
            (PullStep::AskRegistry, present) => {
                let fetcher = Fetcher::new(&reference, auth, &self.inner.options)
                    .map_err(|source| PullError::Fetch { image: image.to_owned(), source })?;
                Pull { store: self, image, reference: &reference, fetcher, progress }.run(present).await
            }
            (PullStep::Refuse | PullStep::UseLocal, _) => Err(PullError::NeverPull { image: image.to_owned() }),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        image: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PullError> {
        tokio::task::spawn_blocking(work).await.map_err(|_| PullError::Stopped { image: image.to_owned() })
    }
}

/// One pull that asks the registry.
struct Pull<'a> {
    store: &'a ImageStore,
    image: &'a str,
    reference: &'a ImageReference,
    fetcher: Fetcher<'a>,
    progress: Progress,
}

impl Pull<'_> {
    async fn run(&self, present: Option<Image>) -> Result<Image, PullError> {
        (self.progress)(PullProgress::Resolving);
        // A request for the digest alone is not counted by registries that limit pulls.
        if let Some(present) = present
            && self
                .fetcher
                .resolve()
                .await
                .map_err(self.fetch_failed())?
                .is_some_and(|now| present.image_id.ends_with(now.as_str()))
        {
            return Ok(present);
        }
        let (manifest_bytes, digest, source) = self.manifest().await?;
        let inner = &self.store.inner;
        let mut pins: Vec<Pin> = vec![inner.pins.pin(&digest)];
        let Document::Manifest(manifest) = Document::parse(&digest, &manifest_bytes).map_err(self.document_failed())?
        else {
            unreachable!("invariant: `manifest` ends at a manifest");
        };
        pins.push(inner.pins.pin(&manifest.config.digest));
        let config_bytes = self.config(&manifest).await?;
        let contents = Arc::new(Contents::parse(&digest, manifest, &config_bytes).map_err(self.document_failed())?);
        pins.extend(
            contents.chain.iter().chain(contents.manifest.layers.iter().map(|l| &l.digest)).map(|d| inner.pins.pin(d)),
        );
        self.layers(&contents).await?;
        let (store, reference) = (Arc::clone(inner), self.reference.clone());
        let finish = move || {
            store.blobs.write(&manifest_bytes).map_err(StoreError::io("write a blob", &store.dir))?;
            let record = store.name(&reference, &digest, Some(&source))?;
            let image = store.image(&reference, &record, &contents);
            drop(pins);
            store.drop_layer_blobs(&contents);
            Ok(image)
        };
        self.store.blocking(self.image, finish).await?.map_err(self.store_failed())
    }

    /// Returns the manifest for this platform, its digest, and the digest of what the name itself stands for.
    async fn manifest(&self) -> Result<(Vec<u8>, Digest, Digest), PullError> {
        let (bytes, source) = self.fetcher.document(self.reference).await.map_err(self.fetch_failed())?;
        let index = match Document::parse(&source, &bytes).map_err(self.document_failed())? {
            Document::Manifest(_) => return Ok((bytes, source.clone(), source)),
            Document::Index(index) => index,
        };
        let chosen = index.choose().map_err(self.document_failed())?;
        let pinned = self.reference.pinned(&chosen.digest);
        let (bytes, digest) = self.fetcher.document(&pinned).await.map_err(self.fetch_failed())?;
        match Document::parse(&digest, &bytes).map_err(self.document_failed())? {
            Document::Manifest(_) => Ok((bytes, digest, source)),
            Document::Index(_) => {
                let problem = "an index that points to an index".to_owned();
                Err(self.document_failed()(DocumentError::Inconsistent { digest, problem }))
            }
        }
    }

    /// Returns the configuration's bytes, from the store or the registry.
    async fn config(&self, manifest: &Manifest) -> Result<Vec<u8>, PullError> {
        use super::document::DOCUMENT_BYTES_MAX;
        let Descriptor { digest, size, .. } = &manifest.config;
        let inner = &self.store.inner;
        let read = || {
            let read = inner.blobs.read(digest, DOCUMENT_BYTES_MAX);
            read.map_err(StoreError::io("read a blob", &inner.blobs.path(digest))).map_err(self.store_failed())
        };
        if let Some(bytes) = read()? {
            return Ok(bytes);
        }
        if *size > DOCUMENT_BYTES_MAX {
            let (what, registry) = (format!("configuration `{digest}`"), self.reference.registry().to_owned());
            return Err(self.fetch_failed()(FetchError::TooLarge { what, registry, bytes_max: DOCUMENT_BYTES_MAX }));
        }
        self.fetch_blob(digest, *size, &|_| {}).await?;
        read()?.ok_or_else(|| {
            let source = std::io::Error::other("the configuration vanished right after it was written");
            self.store_failed()(StoreError::io("read a blob", &inner.blobs.path(digest))(source))
        })
    }

    /// Downloads layers side by side and unpacks them one by one from the bottom, as soon as each is there.
    async fn layers(&self, contents: &Arc<Contents>) -> Result<(), PullError> {
        let inner = &self.store.inner;
        let missing = contents.chain.iter().position(|id| !inner.has_layer(id)).unwrap_or(contents.chain.len());
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (missing..contents.chain.len()).map(|_| oneshot::channel::<()>()).unzip();
        // Owned descriptors: a closure over references is not general enough for a future that is spawned.
        let layers: Vec<Descriptor> = contents.manifest.layers.iter().skip(missing).cloned().collect();
        let downloads = futures_util::stream::iter(layers.into_iter().zip(senders))
            .map(|(layer, arrived)| async move {
                self.download(&layer).await?;
                // The other side is gone only when unpacking failed, which ends this as well.
                let _ = arrived.send(());
                Ok::<_, PullError>(())
            })
            .buffer_unordered(inner.options.downloads_max.max(1))
            .try_collect::<Vec<()>>();
        let unpacking = async {
            for (at, arrived) in (missing..).zip(receivers) {
                if arrived.await.is_err() {
                    break; // the download failed, and its error is reported
                }
                self.unpack(contents, at).await?;
            }
            Ok(())
        };
        futures_util::future::try_join(downloads, unpacking).await.map(drop)
    }

    async fn download(&self, layer: &Descriptor) -> Result<(), PullError> {
        let report = |done| {
            (self.progress)(PullProgress::Downloading { digest: layer.digest.clone(), done, total: layer.size });
        };
        self.fetch_blob(&layer.digest, layer.size, &report).await
    }

    /// Fetches a blob into the store unless it is there; who comes second waits for the first.
    async fn fetch_blob(
        &self,
        digest: &Digest,
        size: u64,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), PullError> {
        let inner = &self.store.inner;
        let _turn = inner.turns.take(digest).await;
        if inner.blobs.has(digest) {
            return Ok(());
        }
        let partial = Partial { inner, name: unique_name("download") };
        self.fetcher.blob(digest, size, &partial.path(), progress).await.map_err(self.fetch_failed())?;
        let (store, file, adopted) = (Arc::clone(inner), partial.path(), digest.clone());
        let adopt = move || store.blobs.adopt(&file, &adopted).map_err(StoreError::io("store a blob", &file));
        self.store.blocking(self.image, adopt).await?.map_err(self.store_failed())
    }

    async fn unpack(&self, contents: &Arc<Contents>, at: usize) -> Result<(), PullError> {
        let inner = &self.store.inner;
        // Turn and pins go into the task: it may outlive this pull.
        let turn = inner.turns.take(&contents.chain[at]).await;
        if inner.has_layer(&contents.chain[at]) {
            return Ok(());
        }
        let layer = contents.manifest.layers[at].digest.clone();
        (self.progress)(PullProgress::Unpacking { digest: layer.clone() });
        let pins: Vec<Pin> = contents.chain[..=at].iter().chain([&layer]).map(|d| inner.pins.pin(d)).collect();
        let (store, contents) = (Arc::clone(inner), Arc::clone(contents));
        let work = move || {
            let _held = (turn, pins);
            let archive = store.blobs.path(&layer);
            let length = std::fs::metadata(&archive).map_err(StoreError::io("read a blob", &archive))?.len();
            let unpacked = store.unpack_layer(&contents, at, archive, 0, length);
            if let Err(StoreError::Unpack { .. }) = &unpacked {
                // The bytes may have gone bad on this disk: the next attempt fetches them again.
                store.blobs.remove(&layer).map_err(StoreError::io("remove a blob", &store.dir))?;
            }
            unpacked
        };
        self.store.blocking(self.image, work).await?.map_err(self.store_failed())
    }

    fn fetch_failed(&self) -> impl Fn(FetchError) -> PullError {
        let image = self.image.to_owned();
        move |source| match source {
            FetchError::NotFound { what, registry } if what.starts_with("image") => {
                PullError::NotFound { image: image.clone(), registry }
            }
            source => PullError::Fetch { image: image.clone(), source },
        }
    }

    fn document_failed(&self) -> impl Fn(DocumentError) -> PullError {
        let image = self.image.to_owned();
        move |source| PullError::Document { image: image.clone(), source }
    }

    fn store_failed(&self) -> impl Fn(StoreError) -> PullError {
        let image = self.image.to_owned();
        move |source| PullError::Store { image: image.clone(), source }
    }
}

impl Inner {
    /// Removes the archives of layers that are unpacked, unless another pull works with them: they would double the
    /// disk space of every image. Failing to is harmless, a collection does it again.
    fn drop_layer_blobs(&self, contents: &Contents) {
        for layer in &contents.manifest.layers {
            let removed = self.pins.unless_pinned(&layer.digest, || self.blobs.remove(&layer.digest));
            if let Some(Err(error)) = removed {
                tracing::warn!(digest = %layer.digest, %error, "cannot remove the archive of an unpacked layer");
            }
        }
    }
}

/// A download that vanishes unless it was moved into place.
struct Partial<'a> {
    inner: &'a Inner,
    name: String,
}

impl Partial<'_> {
    fn path(&self) -> PathBuf {
        self.inner.scratch().join(&self.name)
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        self.inner.discard(&self.name);
    }
}
