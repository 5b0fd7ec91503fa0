//! The store's directory: what is in it, how it is opened, listed, and rid of what nothing needs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FlockOperation;

use super::blobs::{Blobs, sync_dir, unique_name};
use super::contents::Contents;
use super::document::{DOCUMENT_BYTES_MAX, Document};
use super::host_rootfs::HostRootfs;
use super::layer::{Confined, Job, Limits, UnpackError, Unpacker, remove_tree};
use super::pins::{Pins, Turns};
use super::refs::{Record, Refs};
use super::{Digest, Image, ImageReference, RootFs};

/// How exact the time of the last use is kept, in seconds: finer would write to disk at every start of a pod.
const USED_STEP_SECONDS: u64 = 3600;

/// How a store works; [`Default`] fits a host in production.
#[derive(Clone)]
pub struct StoreOptions {
    /// Bounds of each layer.
    pub limits: Limits,
    /// Most bytes that are downloaded for one layer.
    pub download_bytes_max: u64,
    /// Most layers of one image that are downloaded at a time.
    pub downloads_max: usize,
    /// How long a download may stand still before it is cut and resumed.
    pub stall: std::time::Duration,
    /// How long connecting, or answering a small request, may take.
    pub answer: std::time::Duration,
    /// Registries spoken to by plain HTTP besides those on loopback, as `host` or `host:port`.
    pub insecure_registries: Vec<String>,
    /// Where layers are unpacked: on a confined thread, unless something stricter is plugged in.
    pub unpacker: Arc<dyn Unpacker>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            download_bytes_max: 16 << 30,
            downloads_max: 3,
            stall: std::time::Duration::from_secs(30),
            answer: std::time::Duration::from_secs(30),
            insecure_registries: Vec::new(),
            unpacker: Arc::new(Confined),
        }
    }
}

/// Why the store cannot do its part.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the store open.
    #[error("image store `{dir}` is in use by another process")]
    InUse {
        /// The store's directory.
        dir: PathBuf,
    },
    /// The file system failed.
    #[error("cannot {action} in image store at `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A layer could not be unpacked.
    #[error("cannot unpack layer `{diff_id}`")]
    Unpack {
        /// Digest of the uncompressed layer.
        diff_id: Digest,
        /// Why.
        #[source]
        source: UnpackError,
    },
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Tells whether the disk or a quota is full: another attempt helps once space is freed.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::InUse { .. } => false,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Unpack { source, .. } => source.is_disk_full(),
        }
    }
}

/// One name in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedImage {
    /// The normalised name.
    pub reference: String,
    /// Manifest for this platform.
    pub digest: Digest,
    /// When the name got this content, in seconds since 1970.
    pub created: u64,
    /// When it was last asked for, in seconds since 1970, exact to an hour.
    pub used: u64,
    /// Bytes of all its layers, unpacked; layers shared with other images count for each.
    pub bytes: u64,
}

/// The images of one host. Cheap to clone; clones share the store.
#[derive(Clone)]
pub struct ImageStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub dir: PathBuf,
    pub options: StoreOptions,
    pub blobs: Blobs,
    pub refs: Refs,
    pub pins: Arc<Pins>,
    pub turns: Turns,
    /// Held while names change and while nothing may become nameless: by [`Inner::name`] and by a collection.
    pub naming: Mutex<()>,
    pub host_rootfs: Mutex<Option<HostRootfs>>,
    _lock: File,
}

impl ImageStore {
    /// Opens the store in `dir` with default options, creating what is missing. Blocks.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(dir, StoreOptions::default())
    }

    /// Opens the store in `dir`: takes its lock, removes what an earlier process left unfinished. Blocks.
    ///
    /// The directory should be absolute, on a file system that carries overlayfs (not on overlayfs itself), and
    /// belong to root alone.
    pub fn open_with(dir: impl Into<PathBuf>, options: StoreOptions) -> Result<Self, StoreError> {
        let dir: PathBuf = dir.into();
        fs::create_dir_all(&dir).map_err(StoreError::io("create a directory", &dir))?;
        let dir = dir.canonicalize().map_err(StoreError::io("resolve a path", &dir))?;
        let lock_path = dir.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(StoreError::io("open the lock", &lock_path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StoreError::InUse { dir }),
            Err(e) => return Err(StoreError::io("take the lock", &lock_path)(e.into())),
        }
        restrict(&dir).map_err(StoreError::io("restrict access", &dir))?;
        let scratch = dir.join("tmp");
        let opened = File::open(&dir).map_err(StoreError::io("open a directory", &dir))?;
        remove_tree(&opened, b"tmp").map_err(StoreError::io("remove leftovers", &scratch))?;
        for sub in ["tmp", "blobs/sha256", "layers", "refs", "host", "empty"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).map_err(StoreError::io("create a directory", &path))?;
        }
        let inner = Inner {
            blobs: Blobs::new(dir.join("blobs/sha256"), scratch.clone()),
            refs: Refs::new(dir.join("refs"), scratch),
            dir,
            options,
            pins: Arc::default(),
            turns: Turns::default(),
            naming: Mutex::default(),
            host_rootfs: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns the image that `reference` names if it is complete in the store; the registry is not asked.
    pub fn find(&self, reference: &ImageReference) -> Result<Option<Image>, StoreError> {
        if reference.is_host_rootfs() {
            return self.inner.host_image(reference).map(Some);
        }
        self.inner.find(reference)
    }

    /// Lists the names in the store, in order.
    pub fn list(&self) -> Result<Vec<ListedImage>, StoreError> {
        let inner = &self.inner;
        let records = inner.refs.list().map_err(StoreError::io("list names", &inner.dir))?;
        let listed = records.into_iter().map(|record| {
            let bytes = inner
                .contents(&record.digest)?
                .map_or(0, |contents| contents.chain.iter().map(|id| inner.layer_bytes(id)).sum());
            let Record { name, digest, created, used, .. } = record;
            Ok(ListedImage { reference: name, digest, created, used, bytes })
        });
        listed.collect()
    }

    /// Forgets the name and returns whether it was known. Its content goes with the next [`gc`](Self::gc).
    pub fn remove(&self, reference: &ImageReference) -> Result<bool, StoreError> {
        let _naming = self.inner.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let name = reference.to_string();
        let failed = || StoreError::io("remove a name", &self.inner.dir);
        let known = self.inner.refs.get(&name).map_err(failed())?.is_some();
        self.inner.refs.remove(&name).map_err(failed())?;
        Ok(known)
    }
}

/// Keeps other users out: layers hold set-id files of images.
fn restrict(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

/// Returns the time of day for records; never decides anything.
pub(super) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

impl Inner {
    pub(super) fn scratch(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    fn layer_dir(&self, chain_id: &Digest) -> PathBuf {
        self.dir.join("layers").join(chain_id.hex())
    }

    /// Returns the directory that overlayfs uses for `chain_id`.
    pub(super) fn lower(&self, chain_id: &Digest) -> PathBuf {
        self.layer_dir(chain_id).join("fs")
    }

    pub(super) fn has_layer(&self, chain_id: &Digest) -> bool {
        self.lower(chain_id).is_dir()
    }

    pub(super) fn layer_bytes(&self, chain_id: &Digest) -> u64 {
        let path = self.layer_dir(chain_id).join("bytes");
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Reads manifest and configuration of `digest`; `None` when they are not (or no longer) whole.
    pub(super) fn contents(&self, digest: &Digest) -> Result<Option<Contents>, StoreError> {
        let read = |digest: &Digest| {
            self.blobs.read(digest, DOCUMENT_BYTES_MAX).map_err(StoreError::io("read a blob", &self.blobs.path(digest)))
        };
        let Some(bytes) = read(digest)? else {
            return Ok(None);
        };
        let Ok(Document::Manifest(manifest)) = Document::parse(digest, &bytes) else {
            return Ok(None);
        };
        let Some(bytes) = read(&manifest.config.digest)? else {
            return Ok(None);
        };
        Ok(Contents::parse(digest, manifest, &bytes).ok())
    }

    fn find(&self, reference: &ImageReference) -> Result<Option<Image>, StoreError> {
        let name = reference.to_string();
        let failed = || StoreError::io("read a name", &self.dir);
        let Some(record) = self.refs.get(&name).map_err(failed())? else {
            return Ok(None);
        };
        let Some(contents) = self.contents(&record.digest)? else {
            return Ok(None);
        };
        if !contents.chain.iter().all(|id| self.has_layer(id)) {
            return Ok(None);
        }
        self.note_use(&record).map_err(failed())?;
        Ok(Some(self.image(reference, &record, &contents)))
    }

    /// Notes that an image was asked for. Left to the next time while names change: the record may be outdated.
    fn note_use(&self, record: &Record) -> io::Result<()> {
        let now = seconds_now();
        if now <= record.used.saturating_add(USED_STEP_SECONDS) {
            return Ok(());
        }
        let Ok(_naming) = self.naming.try_lock() else {
            return Ok(());
        };
        match self.refs.get(&record.name)? {
            Some(current) if current == *record => self.refs.put(&Record { used: now, ..current }),
            _ => Ok(()),
        }
    }

    pub(super) fn image(&self, reference: &ImageReference, record: &Record, contents: &Contents) -> Image {
        let mut lowers: Vec<PathBuf> = contents.chain.iter().rev().map(|id| self.lower(id)).collect();
        if lowers.is_empty() {
            lowers.push(self.dir.join("empty"));
        }
        let image_id = match &record.source {
            Some(source) => format!("{}/{}@{source}", reference.registry(), reference.repository()),
            None => record.digest.to_string(),
        };
        Image {
            reference: record.name.clone(),
            digest: record.digest.clone(),
            image_id,
            config: contents.run_config(),
            rootfs: RootFs { lowers, binds: Vec::new() },
        }
    }

    /// Records that `reference` stands for `digest` from now on. The caller's pins must outlive the call. Blocks
    /// while a collection runs.
    pub(super) fn name(
        &self,
        reference: &ImageReference,
        digest: &Digest,
        source: Option<&Digest>,
    ) -> Result<Record, StoreError> {
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let now = seconds_now();
        let record = Record {
            version: 1,
            name: reference.to_string(),
            digest: digest.clone(),
            source: source.cloned(),
            created: now,
            used: now,
        };
        self.refs.put(&record).map_err(StoreError::io("write a name", &self.dir))?;
        Ok(record)
    }

    /// Unpacks a layer unless it is there: into the scratch directory, synced, renamed into place. Blocks.
    ///
    /// The caller holds the turn and a pin of the layer's chain id.
    pub(super) fn unpack_layer(
        &self,
        contents: &Contents,
        at: usize,
        archive: PathBuf,
        offset: u64,
        length: u64,
    ) -> Result<(), StoreError> {
        let id = &contents.chain[at];
        if self.has_layer(id) {
            return Ok(());
        }
        let name = unique_name("layer");
        let staged = self.scratch().join(&name);
        let diff_id = &contents.config.rootfs.diff_ids[at];
        let job = Job {
            archive,
            offset,
            length,
            into: staged.join("fs"),
            below: contents.chain[..at].iter().rev().map(|id| self.lower(id)).collect(),
            diff_id: diff_id.clone(),
            limits: self.options.limits.clone(),
        };
        let done = self.stage(&job, &staged, &self.layer_dir(id));
        if done.is_err() {
            self.discard(&name);
        }
        done
    }

    fn stage(&self, job: &Job, staged: &Path, place: &Path) -> Result<(), StoreError> {
        fs::create_dir_all(&job.into).map_err(StoreError::io("create a directory", &job.into))?;
        let unpacked = self
            .options
            .unpacker
            .unpack(job)
            .map_err(|source| StoreError::Unpack { diff_id: job.diff_id.clone(), source })?;
        let durable = || {
            fs::write(staged.join("bytes"), format!("{}\n", unpacked.bytes))?;
            // One sync of the file system costs less than one for each of a layer's thousands of files.
            rustix::fs::syncfs(File::open(staged)?)?;
            // A directory in the way is not whole: it has no `fs`.
            if place.exists() {
                self.discard_tree(place)?;
            }
            fs::rename(staged, place)?;
            place.parent().map_or(Ok(()), sync_dir)
        };
        durable().map_err(StoreError::io("put a layer in place", place))
    }

    /// Removes something from the scratch directory; what resists goes when the store is opened the next time.
    pub(super) fn discard(&self, name: &str) {
        let removed = File::open(self.scratch()).and_then(|dir| remove_tree(&dir, name.as_bytes()));
        if let Err(error) = removed {
            tracing::warn!(%error, name, "cannot remove a scratch file of the image store");
        }
    }

    /// Moves a directory of the store out of sight at once, then removes it.
    fn discard_tree(&self, path: &Path) -> io::Result<()> {
        let name = unique_name("gone");
        fs::rename(path, self.scratch().join(&name))?;
        remove_tree(&File::open(self.scratch())?, name.as_bytes())
    }
}
