//! Imports images from files: OCI layouts (directory or tar) and docker archives (`docker save`, `podman save`).

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::blobs::unique_name;
use super::contents::Contents;
use super::document::{DOCUMENT_BYTES_MAX, Descriptor, Document, Index, Manifest};
use super::pins::Pin;
use super::source::{Location, Source};
use super::store::{Inner, StoreError};
use super::{Digest, DocumentError, Image, ImageReference, ImageStore, ReferenceError};

const NAME_ANNOTATION: &str = "io.containerd.image.name";
const REF_ANNOTATION: &str = "org.opencontainers.image.ref.name";
/// How far an index may point to another index; layouts in use need two.
const INDEX_DEPTH_MAX: usize = 3;

/// Why a file was not imported. Images before the one that failed are imported.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read image file `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is neither of the formats.
    #[error(
        "`{path}` holds no image: expected an OCI layout (`oci-layout`, `index.json`) or a docker archive (`manifest.json`)"
    )]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// Something that a document names is not in the file.
    #[error("`{path}` is incomplete: `{member}` is missing")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the member.
        member: String,
    },
    /// A blob's bytes are not what its name promises.
    #[error("`{path}` is damaged: content of `{expected}` has digest `{found}`")]
    WrongDigest {
        /// The file.
        path: PathBuf,
        /// From the document that names the blob.
        expected: Digest,
        /// Of the bytes.
        found: Digest,
    },
    /// A document of the image cannot be used.
    #[error("cannot use an image of `{path}`")]
    Document {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// A document that is not content-addressed is malformed.
    #[error("`{member}` of `{path}` is not valid JSON of its kind")]
    Json {
        /// The file.
        path: PathBuf,
        /// `index.json` or `manifest.json`.
        member: &'static str,
        /// Where parsing stopped.
        #[source]
        source: serde_json::Error,
    },
    /// An image in the file has an unusable name.
    #[error("an image of `{path}` has an unusable name")]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ReferenceError,
    },
    /// The store failed.
    #[error("cannot store an image of `{path}`")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The task that imports was stopped with the runtime.
    #[error("the import of `{path}` was stopped")]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

impl ImageStore {
    /// Imports every image that `path` holds and returns them in the order of the file.
    ///
    /// `path` is an OCI layout directory, a tar of one, or a docker archive; tars may be compressed by gzip or zstd.
    /// Names come from the file. An image that has only a tag is called `localhost/<file name>:<tag>`; one without
    /// any name gets the tag `latest`. Images for other platforms than this host's are refused.
    pub async fn load(&self, path: impl Into<PathBuf>) -> Result<Vec<Image>, LoadError> {
        let (store, path) = (self.clone(), path.into());
        let stopped = LoadError::Stopped { path: path.clone() };
        tokio::task::spawn_blocking(move || Loader::run(&store.inner, path)).await.unwrap_or(Err(stopped))
    }
}

/// One image of a file, before its layers are unpacked.
struct Candidate {
    names: Vec<ImageReference>,
    /// The manifest as it is stored; for a docker archive it is written here.
    manifest: Vec<u8>,
    config: Vec<u8>,
    layers: Vec<Location>,
}

/// An entry of a docker archive's `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

struct Loader<'a> {
    store: &'a Inner,
    path: PathBuf,
    source: Source,
}

impl<'a> Loader<'a> {
    fn run(store: &'a Inner, path: PathBuf) -> Result<Vec<Image>, LoadError> {
        let scratch = unique_name("load");
        let opened = Source::open(&path, &store.scratch().join(&scratch), store.options.limits.bytes_max);
        let loaded = match opened {
            Ok(source) => Loader { store, path, source }.load_all(),
            Err(source) => Err(LoadError::Read { path, source }),
        };
        store.discard(&scratch);
        loaded
    }

    fn load_all(&self) -> Result<Vec<Image>, LoadError> {
        // Newer `docker save` writes both; only its own document has whole names.
        if let Some(bytes) = self.read_optional("manifest.json")? {
            let entries: Vec<DockerEntry> = self.json("manifest.json", &bytes)?;
            return self.import_all(entries.iter().map(|entry| self.docker_candidate(entry)));
        }
        let (Some(_), Some(bytes)) = (self.read_optional("oci-layout")?, self.read_optional("index.json")?) else {
            return Err(LoadError::NotAnImage { path: self.path.clone() });
        };
        let index: Index = self.json("index.json", &bytes)?;
        self.import_all(index.manifests.iter().map(|descriptor| self.oci_candidate(descriptor)))
    }

    fn import_all(
        &self,
        candidates: impl Iterator<Item = Result<Candidate, LoadError>>,
    ) -> Result<Vec<Image>, LoadError> {
        let mut images = Vec::new();
        for candidate in candidates {
            images.extend(self.import(candidate?)?);
        }
        match images.is_empty() {
            true => Err(LoadError::NotAnImage { path: self.path.clone() }),
            false => Ok(images),
        }
    }

    /// Unpacks what is missing and names the image.
    fn import(&self, candidate: Candidate) -> Result<Vec<Image>, LoadError> {
        let failed = |source| LoadError::Store { path: self.path.clone(), source };
        let digest = Digest::of(&candidate.manifest);
        let contents = self.contents(&digest, &candidate)?;
        let mut pins: Vec<Pin> =
            vec![self.store.pins.pin(&digest), self.store.pins.pin(&contents.manifest.config.digest)];
        pins.extend(contents.chain.iter().map(|id| self.store.pins.pin(id)));
        for bytes in [&candidate.manifest, &candidate.config] {
            self.store.blobs.write(bytes).map_err(StoreError::io("write a blob", &self.store.dir)).map_err(failed)?;
        }
        let runtime = tokio::runtime::Handle::current();
        for (at, location) in candidate.layers.iter().enumerate() {
            let _turn = runtime.block_on(self.store.turns.take(&contents.chain[at]));
            let Location { file, offset, length } = location.clone();
            self.store.unpack_layer(&contents, at, file, offset, length).map_err(failed)?;
        }
        let named = candidate.names.iter().map(|name| {
            let record = self.store.name(name, &digest, None).map_err(failed)?;
            Ok(self.store.image(name, &record, &contents))
        });
        let images = named.collect();
        drop(pins);
        images
    }

    fn contents(&self, digest: &Digest, candidate: &Candidate) -> Result<Contents, LoadError> {
        let failed = |source| LoadError::Document { path: self.path.clone(), source };
        match Document::parse(digest, &candidate.manifest).map_err(failed)? {
            Document::Manifest(manifest) => Contents::parse(digest, manifest, &candidate.config).map_err(failed),
            Document::Index(_) => unreachable!("invariant: a candidate is made from a manifest"),
        }
    }

    fn oci_candidate(&self, descriptor: &Descriptor) -> Result<Candidate, LoadError> {
        let failed = |source| LoadError::Document { path: self.path.clone(), source };
        let names = vec![self.oci_name(descriptor)?];
        let mut chosen = descriptor.clone();
        for _ in 0..INDEX_DEPTH_MAX {
            let manifest = self.blob(&chosen.digest)?;
            match Document::parse(&chosen.digest, &manifest).map_err(failed)? {
                Document::Index(index) => chosen = index.choose().map_err(failed)?.clone(),
                Document::Manifest(parsed) => {
                    let config = self.blob(&parsed.config.digest)?;
                    let layers = parsed.layers.iter().map(|layer| self.locate(&blob_name(&layer.digest)));
                    let layers = layers.collect::<Result<_, _>>()?;
                    return Ok(Candidate { names, manifest, config, layers });
                }
            }
        }
        let problem = format!("indexes point to indexes more than {INDEX_DEPTH_MAX} times");
        Err(failed(DocumentError::Inconsistent { digest: descriptor.digest.clone(), problem }))
    }

    fn docker_candidate(&self, entry: &DockerEntry) -> Result<Candidate, LoadError> {
        let config = self.read(&entry.config)?;
        let layers = entry.layers.iter().map(|name| self.locate(name)).collect::<Result<Vec<_>, _>>()?;
        let diff_ids = self.docker_diff_ids(entry, &config)?;
        // A docker archive has no manifest. This one follows from the content alone, so that the image has the same
        // identity wherever it is imported.
        let descriptor = |media_type: &str, digest: Digest, size: u64| Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: None,
        };
        let layer = |id: Digest| descriptor("application/vnd.oci.image.layer.v1.tar", id, 0);
        let manifest = Manifest {
            schema_version: 2,
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            config: descriptor("application/vnd.oci.image.config.v1+json", Digest::of(&config), config.len() as u64),
            layers: diff_ids.into_iter().map(layer).collect(),
        };
        let manifest = serde_json::to_vec(&manifest).expect("invariant: a manifest of strings and numbers is JSON");
        let mut names = Vec::new();
        for tag in entry.repo_tags.iter().flatten() {
            names.push(self.parse_name(tag)?);
        }
        if names.is_empty() {
            names.push(self.local_name("latest")?);
        }
        Ok(Candidate { names, manifest, config, layers })
    }

    fn docker_diff_ids(&self, entry: &DockerEntry, config: &[u8]) -> Result<Vec<Digest>, LoadError> {
        let digest = Digest::of(config);
        let failed = |source| LoadError::Document { path: self.path.clone(), source };
        let json = |source| failed(DocumentError::Json { kind: "configuration", digest: digest.clone(), source });
        let parsed: super::document::ConfigDocument = serde_json::from_slice(config).map_err(json)?;
        let (layers, diff_ids) = (entry.layers.len(), parsed.rootfs.diff_ids);
        if layers != diff_ids.len() {
            let problem = format!("`manifest.json` lists {layers} layers and its configuration {}", diff_ids.len());
            return Err(failed(DocumentError::Inconsistent { digest, problem }));
        }
        Ok(diff_ids)
    }

    fn oci_name(&self, descriptor: &Descriptor) -> Result<ImageReference, LoadError> {
        let annotation = |key| descriptor.annotations.as_ref().and_then(|all| all.get(key)).map(String::as_str);
        match (annotation(NAME_ANNOTATION), annotation(REF_ANNOTATION)) {
            (Some(name), _) => self.parse_name(name),
            (None, Some(name)) if name.contains(['/', ':']) => self.parse_name(name),
            (None, Some(tag)) => self.local_name(tag),
            (None, None) => self.local_name("latest"),
        }
    }

    /// Returns `localhost/<file name without extensions>:<tag>`.
    fn local_name(&self, tag: &str) -> Result<ImageReference, LoadError> {
        let name = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let name = name.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or("image");
        let stem: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let stem = stem.trim_matches('-');
        self.parse_name(&format!("localhost/{}:{tag}", if stem.is_empty() { "image" } else { stem }))
    }

    fn parse_name(&self, name: &str) -> Result<ImageReference, LoadError> {
        ImageReference::parse(name).map_err(|source| LoadError::Name { path: self.path.clone(), source })
    }

    fn blob(&self, digest: &Digest) -> Result<Vec<u8>, LoadError> {
        let bytes = self.read(&blob_name(digest))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(LoadError::WrongDigest { path: self.path.clone(), expected: digest.clone(), found });
        }
        Ok(bytes)
    }

    fn read(&self, member: &str) -> Result<Vec<u8>, LoadError> {
        self.read_optional(member)?.ok_or_else(|| self.missing(member))
    }

    fn read_optional(&self, member: &str) -> Result<Option<Vec<u8>>, LoadError> {
        let failed = |source| LoadError::Read { path: self.path.clone(), source };
        self.source.read(member, DOCUMENT_BYTES_MAX).map_err(failed)
    }

    fn locate(&self, member: &str) -> Result<Location, LoadError> {
        let failed = |source| LoadError::Read { path: self.path.clone(), source };
        self.source.find(member).map_err(failed)?.ok_or_else(|| self.missing(member))
    }

    fn missing(&self, member: &str) -> LoadError {
        LoadError::Missing { path: self.path.clone(), member: member.chars().take(200).collect() }
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, member: &'static str, bytes: &[u8]) -> Result<T, LoadError> {
        serde_json::from_slice(bytes).map_err(|source| LoadError::Json { path: self.path.clone(), member, source })
    }
}

fn blob_name(digest: &Digest) -> String {
    Path::new("blobs/sha256").join(digest.hex()).to_string_lossy().into_owned()
}
