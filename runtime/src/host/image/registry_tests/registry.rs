//! A registry process of the test's own, with its storage at hand.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci_client::client::{Client, ClientConfig, ClientProtocol};

use super::super::testing::{TestImage, is_root};
use super::super::{Digest, RegistryAuth};

/// User `ana`, password `s3cret`.
pub(super) const HTPASSWD: &str = "ana:$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

/// A registry process with its storage; both go with it.
pub(super) struct Registry {
    process: Child,
    pub(super) address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Registry {
    /// Starts a registry; `None`, with a printed line, when the program is not installed or the test is not root.
    pub(super) fn start(test: &str, password_file: Option<&str>) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let Some(program) =
            ["/usr/bin/docker-registry", "/usr/local/bin/docker-registry"].into_iter().find(|p| Path::new(p).exists())
        else {
            println!("{test}: left out, `docker-registry` is not installed");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        // The port is free until it is used: the registry cannot be given an open socket.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let storage = dir.path().join("storage");
        let mut config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '{address}'}}\n",
            storage.display()
        );
        if let Some(passwords) = password_file {
            let path = dir.path().join("htpasswd");
            fs::write(&path, passwords).unwrap();
            config += &format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", path.display());
        }
        let config_path = dir.path().join("config.yml");
        fs::write(&config_path, config).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(&config_path)
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut registry = Self { process, address, dir };
        registry.await_answer();
        Some(registry)
    }

    /// Returns when the registry accepts connections; fails the test when it ends or takes too long.
    fn await_answer(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(self.process.try_wait().unwrap().is_none(), "the registry ended: {}", log());
            assert!(Instant::now() < deadline, "the registry does not answer: {}", log());
            std::thread::yield_now();
        }
    }

    pub(super) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// Pushes `image` as `name`, which is without the registry.
    pub(super) async fn push(&self, image: &TestImage, name: &str, auth: &RegistryAuth) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
        let client = Client::try_from(config).unwrap();
        let reference: oci_client::Reference = self.name(name).parse().unwrap();
        client.store_auth_if_needed(reference.resolve_registry(), auth).await;
        for blob in image.layers.iter().chain([&image.config]) {
            client.push_blob(&reference, blob.clone(), Digest::of(blob).as_str()).await.unwrap();
        }
        let content_type = "application/vnd.oci.image.manifest.v1+json".parse().unwrap();
        client.push_manifest_raw(&reference, image.manifest.clone(), content_type).await.unwrap();
    }

    /// Pushes an index that lists `images` by architecture.
    pub(super) async fn push_index(&self, images: &[(&str, &TestImage)], name: &str) -> Digest {
        let manifests: Vec<_> = images
            .iter()
            .map(|(architecture, image)| {
                serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image.digest(),
                    "size": image.manifest.len(), "platform": {"os": "linux", "architecture": architecture}})
            })
            .collect();
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests});
        let bytes = index.to_string();
        let client =
            Client::try_from(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() }).unwrap();
        let reference: oci_client::Reference = self.name(name).parse().unwrap();
        client.store_auth_if_needed(reference.resolve_registry(), &RegistryAuth::Anonymous).await;
        let content_type = "application/vnd.oci.image.index.v1+json".parse().unwrap();
        client.push_manifest_raw(&reference, bytes.clone().into_bytes(), content_type).await.unwrap();
        Digest::of(bytes.as_bytes())
    }

    /// Returns the file in which the registry keeps a blob.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.path().join("storage/docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
