//! Builds images byte by byte for the tests of this module, hostile ones included.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Digest, ImageStore, StoreOptions};

/// Tells whether the test may create devices and change owners; prints that it is left out when not.
pub(super) fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("{test}: left out, it needs root");
    }
    is_root
}

/// A tar archive under construction.
pub(super) struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    pub(super) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Adds an entry with full control over its header; `name` is not checked.
    pub(super) fn raw(mut self, kind: u8, name: &str, link: &str, mode: u32, data: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::new(kind));
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.append(&header, data).expect("writing to memory");
        self
    }

    pub(super) fn file(self, name: &str, data: &str) -> Self {
        self.raw(b'0', name, "", 0o644, data.as_bytes())
    }

    pub(super) fn dir(self, name: &str, mode: u32) -> Self {
        self.raw(b'5', name, "", mode, b"")
    }

    pub(super) fn link(self, name: &str, to: &str) -> Self {
        self.raw(b'2', name, to, 0o777, b"")
    }

    pub(super) fn hard_link(self, name: &str, to: &str) -> Self {
        self.raw(b'1', name, to, 0o644, b"")
    }

    /// Adds pax records that apply to the next entry.
    pub(super) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let body = key.len() + value.len() + 3;
            let mut length = body + 1;
            while length != body + length.to_string().len() {
                length = body + length.to_string().len();
            }
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.raw(b'x', "pax", "", 0o644, &data)
    }

    /// Adds an entry whose header announces `size` bytes that never come, and ends the archive there.
    pub(super) fn truncated(mut self, name: &str, kind: u8, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_path(name).expect("a short name");
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        self.0.get_mut().extend_from_slice(header.as_bytes());
        self.0.get_ref().clone()
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("writing to memory")
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("writing to memory")
}

/// A plain tar, and how it is stored.
pub(super) type TestLayer = (Vec<u8>, fn(&[u8]) -> Vec<u8>);

/// An image: configuration and layers, each as plain tar and as stored.
pub(super) struct TestImage {
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
    pub(super) layers: Vec<Vec<u8>>,
    plain: Vec<Vec<u8>>,
}

impl TestImage {
    /// Makes an image for this host; `layers` are plain tars and how each is stored.
    pub(super) fn new(layers: Vec<TestLayer>) -> Self {
        Self::for_platform(super::document::ARCHITECTURE, layers)
    }

    pub(super) fn for_platform(architecture: &str, layers: Vec<TestLayer>) -> Self {
        let diff_ids: Vec<Digest> = layers.iter().map(|(plain, _)| Digest::of(plain)).collect();
        let config = serde_json::json!({
            "architecture": architecture, "os": "linux",
            "config": {"Entrypoint": ["/bin/app"], "Cmd": ["serve"], "Env": ["A=1"], "WorkingDir": "/srv", "User": "www",
                "StopSignal": "SIGINT", "ExposedPorts": {"80/tcp": {}}, "Labels": {"team": "x"}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        })
        .to_string()
        .into_bytes();
        let stored: Vec<Vec<u8>> = layers.iter().map(|(plain, store)| store(plain)).collect();
        let descriptors: Vec<_> = stored
            .iter()
            .map(|bytes| {
                serde_json::json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": Digest::of(bytes), "size": bytes.len()})
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(&config), "size": config.len()},
            "layers": descriptors,
        })
        .to_string()
        .into_bytes();
        Self { config, manifest, layers: stored, plain: layers.into_iter().map(|(plain, _)| plain).collect() }
    }

    /// A base layer with accounts and a program, and a second layer that changes it.
    pub(super) fn sample() -> Self {
        let base = Tar::new()
            .dir("./", 0o755)
            .dir("./etc/", 0o750)
            .file("./etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/srv:/bin/sh\n")
            .file("./etc/group", "root:x:0:\nweb:x:34:\nlogs:x:4:www\n")
            .file("./etc/motd", "old")
            .dir("./bin", 0o755)
            .raw(b'0', "./bin/app", "", 0o4755, b"#!/bin/sh\n")
            .bytes();
        let top = Tar::new().file("etc/.wh.motd", "").file("etc/added", "new").bytes();
        Self::new(vec![(base, gzip), (top, zstd)])
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Writes the image as an OCI layout under the reference name `name`.
    pub(super) fn write_layout(&self, dir: &Path, name: &str) {
        let blobs = dir.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).expect("a directory");
        for bytes in self.layers.iter().chain([&self.config, &self.manifest]) {
            std::fs::write(blobs.join(Digest::of(bytes).hex()), bytes).expect("a blob");
        }
        std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
        let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": self.digest(), "size": self.manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": name}}]});
        std::fs::write(dir.join("index.json"), index.to_string()).expect("a file");
    }

    /// Returns the image as `docker save` writes it.
    pub(super) fn docker_archive(&self, names: &[&str]) -> Vec<u8> {
        let config_name = format!("{}.json", Digest::of(&self.config).hex());
        let mut archive = tar::Builder::new(Vec::new());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, bytes).expect("writing to memory");
        };
        let mut layers = Vec::new();
        for plain in &self.plain {
            layers.push(format!("{}/layer.tar", Digest::of(plain).hex()));
            add(&layers[layers.len() - 1], plain);
        }
        add(&config_name, &self.config);
        let manifest = serde_json::json!([{"Config": config_name, "RepoTags": names, "Layers": layers}]);
        add("manifest.json", manifest.to_string().as_bytes());
        archive.into_inner().expect("writing to memory")
    }
}

/// A store in a directory that goes with it.
pub(super) struct TestStore {
    pub(super) store: ImageStore,
    pub(super) dir: tempfile::TempDir,
}

impl TestStore {
    pub(super) fn new() -> Self {
        Self::with(StoreOptions::default())
    }

    pub(super) fn with(options: StoreOptions) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = ImageStore::open_with(dir.path().join("images"), options).expect("a new store");
        Self { store, dir }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Asserts that no unfinished work lies around.
    #[track_caller]
    pub(super) fn assert_no_leftovers(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path("images/tmp")).expect("a directory").collect();
        assert!(left.is_empty(), "left over: {left:?}");
    }
}
