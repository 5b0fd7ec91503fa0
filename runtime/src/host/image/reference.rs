//! Image names as people write them, and what a pull policy makes of them. Pure; never touches disk or network.

use std::fmt;
use std::net::Ipv4Addr;

use super::Digest;

/// Registry and repository of the built-in image made of the host's own programs.
pub const HOST_ROOTFS: &str = "host.bowline.dev/rootfs";

/// A normalised image name: `busybox` is held as `docker.io/library/busybox:latest`.
///
/// Parsing follows the rules that Docker and containerd share: the part before the first `/` is a registry when it
/// holds a `.` or a `:` or is `localhost`; everything else lives on Docker Hub.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImageReference(oci_client::Reference);

/// Why a string is not an image name; the kubelet calls this `InvalidImageName`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("couldn't parse image name `{text}`: {problem}")]
pub struct ReferenceError {
    text: String,
    problem: String,
}

const UPPERCASE: &str = "invalid reference format: repository name must be lowercase";

impl ImageReference {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let refuse = |problem: String| ReferenceError { text: text.chars().take(300).collect(), problem };
        let reference: oci_client::Reference = text.parse().map_err(|e| match e {
            oci_client::ParseError::ReferenceInvalidFormat if text.chars().any(char::is_uppercase) => {
                refuse(UPPERCASE.into())
            }
            other => refuse(format!("{other}")),
        })?;
        // `UPPER/case` looks like a host and a path, but without a dot or a port it is a repository of Docker Hub.
        if reference.repository().chars().any(char::is_uppercase) {
            return Err(refuse(UPPERCASE.into()));
        }
        if let Some(digest) = reference.digest() {
            digest.parse::<Digest>().map_err(|e| refuse(e.to_string()))?;
        }
        Ok(Self(reference))
    }

    /// Returns the registry's host and port, for example `docker.io` or `127.0.0.1:5000`.
    pub fn registry(&self) -> &str {
        self.0.registry()
    }

    /// Returns the path below the registry, for example `library/busybox`.
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// Returns the tag; `latest` when neither tag nor digest was written.
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// Returns the digest that the name is pinned to.
    pub fn digest(&self) -> Option<Digest> {
        self.0.digest().and_then(|digest| digest.parse().ok())
    }

    /// Returns the same repository pinned to `digest`.
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self(self.0.clone_with_digest(digest.to_string()))
    }

    /// Tells whether this names the built-in image made of the host's own programs, whatever its tag.
    pub fn is_host_rootfs(&self) -> bool {
        HOST_ROOTFS.split_once('/') == Some((self.registry(), self.repository()))
    }

    pub(super) fn as_oci(&self) -> &oci_client::Reference {
        &self.0
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When the registry is asked: `imagePullPolicy` of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// Asks the registry every time; content that is already here is not fetched again.
    Always,
    /// Asks the registry only when the image is not here.
    IfNotPresent,
    /// Never asks the registry.
    Never,
}

impl PullPolicy {
    /// Returns Kubernetes' default: `Always` when the tag is `latest` or absent, else `IfNotPresent`.
    pub fn default_for(reference: &ImageReference) -> Self {
        match (reference.tag(), reference.digest()) {
            (Some("latest"), None) | (None, None) => Self::Always,
            _ => Self::IfNotPresent,
        }
    }
}

/// What a pull has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullStep {
    /// The image in the store is used as it is.
    UseLocal,
    /// The registry is asked which content the name stands for now.
    AskRegistry,
    /// The image is not here and may not be fetched.
    Refuse,
}

/// Decides what a pull under `policy` does when the image `is_present` in the store or not.
pub fn decide_pull(policy: PullPolicy, is_present: bool) -> PullStep {
    match (policy, is_present) {
        (PullPolicy::Always, _) | (PullPolicy::IfNotPresent, false) => PullStep::AskRegistry,
        (PullPolicy::IfNotPresent | PullPolicy::Never, true) => PullStep::UseLocal,
        (PullPolicy::Never, false) => PullStep::Refuse,
    }
}

/// Tells whether `registry` is spoken to by plain HTTP: it is on this host's loopback or listed in `insecure`.
pub fn speaks_plain_http(registry: &str, insecure: &[String]) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || insecure.iter().any(|entry| entry == registry || entry == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match ImageReference::parse(text) {
            Ok(reference) => reference.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_are_read_as_docker_and_containerd_read_them() {
        check("busybox", "docker.io/library/busybox:latest");
        check("busybox:1.36", "docker.io/library/busybox:1.36");
        check("team/app", "docker.io/team/app:latest");
        check("index.docker.io/busybox", "docker.io/library/busybox:latest");
        check("quay.io/team/app:v1", "quay.io/team/app:v1");
        check("localhost/app", "localhost/app:latest");
        check("localhost:5000/app", "localhost:5000/app:latest");
        check("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x");
        check("test.com:5000", "docker.io/library/test.com:5000");
        check(&format!("app@{DIGEST}"), &format!("docker.io/library/app@{DIGEST}"));
        check(&format!("r.io/app:v1@{DIGEST}"), &format!("r.io/app:v1@{DIGEST}"));
    }

    #[test]
    fn names_that_nobody_could_pull_are_refused_with_the_reason() {
        check("", "couldn't parse image name ``: repository name must have at least one component");
        check(
            "UPPER/case",
            "couldn't parse image name `UPPER/case`: invalid reference format: repository name must be lowercase",
        );
        check("a b", "couldn't parse image name `a b`: invalid reference format");
        check("../x", "couldn't parse image name `../x`: invalid reference format");
        check("app:", "couldn't parse image name `app:`: invalid reference format");
        check("-x", "couldn't parse image name `-x`: invalid reference format");
    }

    #[test]
    fn the_default_policy_asks_again_only_for_latest() {
        for (text, expected) in [
            ("app", PullPolicy::Always),
            ("app:latest", PullPolicy::Always),
            ("app:1", PullPolicy::IfNotPresent),
            (&format!("app@{DIGEST}"), PullPolicy::IfNotPresent),
            (&format!("app:latest@{DIGEST}"), PullPolicy::IfNotPresent),
        ] {
            assert_eq!(PullPolicy::default_for(&ImageReference::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn policy_and_presence_decide_the_step() {
        for (policy, present, expected) in [
            (PullPolicy::Always, true, PullStep::AskRegistry),
            (PullPolicy::Always, false, PullStep::AskRegistry),
            (PullPolicy::IfNotPresent, true, PullStep::UseLocal),
            (PullPolicy::IfNotPresent, false, PullStep::AskRegistry),
            (PullPolicy::Never, true, PullStep::UseLocal),
            (PullPolicy::Never, false, PullStep::Refuse),
        ] {
            assert_eq!(decide_pull(policy, present), expected, "{policy:?} {present}");
        }
    }

    #[test]
    fn only_loopback_and_listed_registries_are_spoken_to_without_tls() {
        let listed = ["reg.lan:5000".to_owned(), "plain.lan".to_owned()];
        for (registry, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("reg.lan:5000", true),
            ("plain.lan:80", true),
            ("reg.lan", false),
            ("docker.io", false),
            ("localhost.evil.com", false),
            ("127.0.0.1.evil.com:5000", false),
        ] {
            assert_eq!(speaks_plain_http(registry, &listed), expected, "{registry}");
        }
    }

    #[test]
    fn the_host_image_is_recognised_by_repository_whatever_its_tag() {
        for (text, expected) in [
            ("host.bowline.dev/rootfs", true),
            ("host.bowline.dev/rootfs:anything", true),
            ("host.bowline.dev/rootfs/x", false),
            ("evil.com/host.bowline.dev/rootfs", false),
        ] {
            assert_eq!(ImageReference::parse(text).unwrap().is_host_rootfs(), expected, "{text}");
        }
    }
}
