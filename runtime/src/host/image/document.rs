//! The JSON documents of an image: index, manifest, configuration. Parses and chooses; never does I/O.
//!
//! Both vocabularies are read: the OCI image specification 1.1 and Docker's schema 2, which differ in media types
//! only. Unknown fields are ignored, as both specifications ask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Digest;

/// Most layers that an image may have; Docker's own bound.
pub(super) const LAYERS_MAX: usize = 127;

/// Most bytes of an index, manifest or configuration (the distribution specification asks for 4 MiB).
pub(super) const DOCUMENT_BYTES_MAX: u64 = 4 << 20;

/// The host's architecture in the image vocabulary.
pub(super) const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    std::env::consts::ARCH
};

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The bytes are not the JSON that the media type promises.
    #[error("{kind} `{digest}` is not valid JSON of its kind")]
    Json {
        /// What was read: `manifest` or `configuration`.
        kind: &'static str,
        /// Digest of the bytes.
        digest: Digest,
        /// Where parsing stopped.
        #[source]
        source: serde_json::Error,
    },
    /// The document is of a kind that is not an image.
    #[error("`{digest}` is of type `{media_type}`, which is not an image")]
    NotAnImage {
        /// Digest of the bytes.
        digest: Digest,
        /// The type it claims.
        media_type: String,
    },
    /// No variant of the image runs on this host.
    #[error("the image has no variant for linux/{wanted}; it offers {offered}")]
    NoPlatform {
        /// This host's architecture.
        wanted: &'static str,
        /// What the image has, comma separated.
        offered: String,
    },
    /// Manifest and configuration contradict each other or a bound.
    #[error("manifest `{digest}` is unusable: {problem}")]
    Inconsistent {
        /// Digest of the manifest.
        digest: Digest,
        /// What is wrong.
        problem: String,
    },
}

/// Names a blob by content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub manifests: Vec<Descriptor>,
}

/// What a manifest digest turned out to name.
#[derive(Debug)]
pub(super) enum Document {
    Index(Index),
    Manifest(Manifest),
}

impl Document {
    /// Parses an index or a manifest; `digest` is only named in errors.
    pub(super) fn parse(digest: &Digest, bytes: &[u8]) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Probe {
            #[serde(default)]
            schema_version: u32,
            #[serde(default)]
            media_type: String,
            manifests: Option<serde::de::IgnoredAny>,
            layers: Option<serde::de::IgnoredAny>,
        }
        let json = |source| DocumentError::Json { kind: "manifest", digest: digest.clone(), source };
        let probe: Probe = serde_json::from_slice(bytes).map_err(json)?;
        match (probe.schema_version, probe.manifests.is_some(), probe.layers.is_some()) {
            (2, true, false) => Ok(Self::Index(serde_json::from_slice(bytes).map_err(json)?)),
            (2, false, true) => Ok(Self::Manifest(serde_json::from_slice(bytes).map_err(json)?)),
            (version, ..) => Err(DocumentError::NotAnImage {
                digest: digest.clone(),
                media_type: if probe.media_type.is_empty() {
                    format!("schema version {version}")
                } else {
                    probe.media_type
                },
            }),
        }
    }
}

impl Index {
    /// Chooses the variant for this host: linux, this architecture, the first listed.
    pub(super) fn choose(&self) -> Result<&Descriptor, DocumentError> {
        let fits =
            |d: &&Descriptor| d.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == ARCHITECTURE);
        if let Some(found) = self.manifests.iter().find(fits) {
            return Ok(found);
        }
        match self.manifests.as_slice() {
            [only] if only.platform.is_none() => Ok(only),
            _ => Err(DocumentError::NoPlatform { wanted: ARCHITECTURE, offered: self.offered() }),
        }
    }

    fn offered(&self) -> String {
        let mut names: Vec<String> = self
            .manifests
            .iter()
            .filter_map(|d| d.platform.as_ref())
            .map(|p| format!("{}/{}", p.os, p.architecture))
            .filter(|name| name != "unknown/unknown")
            .take(16)
            .collect();
        names.dedup();
        if names.is_empty() { "nothing".into() } else { names.join(", ") }
    }
}

/// The configuration document of an image, as far as it is used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ConfigDocument {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub config: Option<RunConfig>,
    pub rootfs: RootFsDocument,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RunConfig {
    pub user: Option<String>,
    pub exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    pub env: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub volumes: Option<BTreeMap<String, serde_json::Value>>,
    pub working_dir: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub stop_signal: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RootFsDocument {
    #[serde(default)]
    pub diff_ids: Vec<Digest>,
}

impl ConfigDocument {
    /// Parses a configuration and holds it against `manifest`, whose digest is `digest`.
    pub(super) fn parse(digest: &Digest, manifest: &Manifest, bytes: &[u8]) -> Result<Self, DocumentError> {
        let kind = manifest.config.media_type.as_str();
        if !matches!(
            kind,
            "" | "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
        ) {
            return Err(DocumentError::NotAnImage { digest: digest.clone(), media_type: kind.to_owned() });
        }
        let config: Self = serde_json::from_slice(bytes).map_err(|source| DocumentError::Json {
            kind: "configuration",
            digest: manifest.config.digest.clone(),
            source,
        })?;
        let inconsistent = |problem| DocumentError::Inconsistent { digest: digest.clone(), problem };
        let (layers, diffs) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers != diffs {
            return Err(inconsistent(format!("it lists {layers} layers and its configuration {diffs}")));
        }
        if layers > LAYERS_MAX {
            return Err(inconsistent(format!("it has {layers} layers; at most {LAYERS_MAX} are supported")));
        }
        if let Some(layer) = manifest.layers.iter().find(|layer| !is_layer_type(&layer.media_type)) {
            return Err(inconsistent(format!("layer `{}` is of type `{}`", layer.digest, layer.media_type)));
        }
        let os_fits = matches!(config.os.as_str(), "" | "linux");
        if !os_fits || !(config.architecture.is_empty() || config.architecture == ARCHITECTURE) {
            let offered = format!("{}/{}", config.os, config.architecture);
            return Err(DocumentError::NoPlatform { wanted: ARCHITECTURE, offered });
        }
        Ok(config)
    }
}

/// Tells whether a layer of this type is a tar archive that is kept in the registry. The compression named in the
/// type is not trusted: it is read from the first bytes.
fn is_layer_type(media_type: &str) -> bool {
    let base = media_type.strip_suffix("+gzip").or_else(|| media_type.strip_suffix("+zstd")).unwrap_or(media_type);
    matches!(
        base,
        "" | "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        Digest::of(b"x")
    }

    #[track_caller]
    fn check_index(case: &str, platforms: &[&str], expected: &str) {
        let manifests: Vec<_> = platforms
            .iter()
            .map(|text| {
                let (os, architecture) = text.split_once('/').unwrap();
                serde_json::json!({"digest": Digest::of(text.as_bytes()), "size": 1,
                    "platform": {"os": os, "architecture": architecture}})
            })
            .collect();
        let bytes = serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        let Document::Index(index) = Document::parse(&digest(), bytes.as_bytes()).unwrap() else { panic!("{case}") };
        let found = match index.choose() {
            Ok(chosen) => chosen.digest.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{case}");
    }

    #[test]
    fn an_index_yields_the_variant_of_this_host() {
        let mine = format!("linux/{ARCHITECTURE}");
        let wanted = Digest::of(mine.as_bytes()).to_string();
        check_index("one of many", &["windows/amd64", "linux/s390x", &mine], &wanted);
        check_index(
            "none",
            &["linux/s390x", "unknown/unknown"],
            &format!("the image has no variant for {mine}; it offers linux/s390x"),
        );
        check_index("empty", &[], &format!("the image has no variant for {mine}; it offers nothing"));
    }

    #[test]
    fn documents_that_are_not_images_are_refused() {
        for bytes in [
            r#"{"schemaVersion":1,"layers":[]}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            r#"{"schemaVersion":2,"layers":[{"digest":"sha256:../..","size":1}],"config":{}}"#,
            "[]",
            "",
        ] {
            assert!(Document::parse(&digest(), bytes.as_bytes()).is_err(), "{bytes}");
        }
    }

    #[test]
    fn layers_kept_elsewhere_or_encrypted_are_refused() {
        for (media_type, expected) in [
            ("application/vnd.oci.image.layer.v1.tar+gzip", true),
            ("application/vnd.oci.image.layer.v1.tar+zstd", true),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", false),
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", false),
            ("application/vnd.in-toto+json", false),
        ] {
            assert_eq!(is_layer_type(media_type), expected, "{media_type}");
        }
    }
}
