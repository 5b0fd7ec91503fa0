//! Debian packages and cargo tools that tests and benchmarks use.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::command::{cargo, is_root, on_path};

/// A package, and a file by which it is recognised.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    name: &'static str,
    file: &'static str,
}

const fn package(name: &'static str, file: &'static str) -> Package {
    Package { name, file }
}

/// What the tests use: Git and a web server for it with TLS, a registry and a client for it,
/// a program that runs without libraries.
pub const TESTS: &[Package] = &[
    package("git", "/usr/lib/git-core/git-http-backend"),
    package("lighttpd", "/usr/sbin/lighttpd"),
    package("lighttpd-mod-openssl", "/usr/lib/lighttpd/mod_openssl.so"),
    package("openssl", "/usr/bin/openssl"),
    package("curl", "/usr/bin/curl"),
    package("docker-registry", "/usr/bin/docker-registry"),
    package("skopeo", "/usr/bin/skopeo"),
    package("busybox-static", "/bin/busybox"),
];

/// What the benchmark compares with.
pub const BENCH: &[Package] = &[
    package("git", "/usr/bin/git"),
    package("podman", "/usr/bin/podman"),
    package("runc", "/usr/sbin/runc"),
    package("catatonit", "/usr/bin/catatonit"),
    package("busybox-static", "/bin/busybox"),
];

/// Installs the packages that are missing, and returns those that still are.
pub fn install(packages: &[Package]) -> Vec<&'static str> {
    let missing = |packages: &[Package]| -> Vec<&'static str> {
        packages.iter().filter(|package| !Path::new(package.file).exists()).map(|package| package.name).collect()
    };
    let wanted = missing(packages);
    if wanted.is_empty() {
        return wanted;
    }
    if !is_root() || !on_path("apt-get") {
        println!(
            "missing packages: {} (install them as root: `apt-get install {}`)",
            wanted.join(", "),
            wanted.join(" ")
        );
        return wanted;
    }
    println!("installing {}", wanted.join(" "));
    if !apt_get(&install_words(&wanted)) {
        // The package lists may be missing or too old.
        apt_get(&["update"]);
        apt_get(&install_words(&wanted));
    }
    let left = missing(packages);
    if !left.is_empty() {
        println!("could not install {}: tests that need them are skipped", left.join(", "));
    }
    left
}

fn install_words<'a>(names: &[&'a str]) -> Vec<&'a str> {
    // Services of the packages must not start: only the programs are used.
    ["install", "--yes", "--quiet", "--no-install-recommends"].into_iter().chain(names.iter().copied()).collect()
}

fn apt_get(words: &[&str]) -> bool {
    let status = Command::new("apt-get")
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Installs `cargo-deny` unless it is there. Returns whether it can be used.
pub fn install_cargo_deny() -> Result<bool> {
    if on_path("cargo-deny") || home_has("cargo-deny") {
        return Ok(true);
    }
    println!("installing cargo-deny (once)");
    // Without optimisation it builds in a third of the time, and it runs for seconds.
    let status = cargo(["install", "--locked", "--quiet", "--debug", "cargo-deny"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("CARGO_TARGET_DIR")
        .status()?;
    Ok(status.success())
}

fn home_has(program: &str) -> bool {
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    home.is_some_and(|home| home.join("bin").join(program).is_file())
}
