//! A small image, and a registry that serves it.
//!
//! Responsible for: an archive of busybox in the form of `docker save`, and Debian's registry on a loopback port.
//!
//! Must never: reach beyond this host.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::host::wait_for;

const BUSYBOX: &str = "/bin/busybox";
const REGISTRY: &str = "/usr/bin/docker-registry";

/// Writes an archive of an image of that name whose `/version` says `version`, below `dir`. `None` where busybox is
/// missing, after printing so.
///
/// # Errors
/// Where `tar` or `sha256sum` fail.
pub fn archive(dir: &Path, name: &str, version: &str) -> Result<Option<PathBuf>> {
    if !Path::new(BUSYBOX).exists() {
        println!("skipped: `{BUSYBOX}` is missing, install the package `busybox-static`");
        return Ok(None);
    }
    let root = dir.join(format!("root-{version}"));
    fs::create_dir_all(root.join("bin"))?;
    fs::copy(BUSYBOX, root.join("bin/busybox"))?;
    for program in ["sh", "cat", "sleep"] {
        symlink("busybox", root.join("bin").join(program))?;
    }
    fs::write(root.join("version"), version)?;
    let parts = dir.join(format!("parts-{version}"));
    fs::create_dir_all(&parts)?;
    run(Command::new("tar").arg("-cf").arg(parts.join("layer.tar")).arg("-C").arg(&root).arg("."))?;
    let digest = run(Command::new("sha256sum").arg(parts.join("layer.tar")))?;
    let digest = digest.split(' ').next().context("`sha256sum` prints a digest")?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sleep", "1000"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    fs::write(parts.join("config.json"), config.to_string())?;
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    fs::write(parts.join("manifest.json"), manifest.to_string())?;
    let file = dir.join(format!("image-{version}.tar"));
    let names = ["manifest.json", "config.json", "layer.tar"];
    run(Command::new("tar").arg("-cf").arg(&file).arg("-C").arg(&parts).args(names))?;
    Ok(Some(file))
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} runs"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A running registry; dropping it ends it.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    address: SocketAddr,
}

impl Registry {
    /// Starts a registry with its storage below `dir`. `None` where a program is missing, after printing which.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(dir: &Path) -> Result<Option<Self>> {
        for (path, package) in [(REGISTRY, "docker-registry"), ("/usr/bin/skopeo", "skopeo")] {
            if !Path::new(path).exists() {
                println!("skipped: `{path}` is missing, install the package `{package}`");
                return Ok(None);
            }
        }
        // It cannot be given an open socket: a port that was free a moment ago has to do.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let config = dir.join("registry.yml");
        let storage = dir.join("registry");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: \
                 {{rootdirectory: {}}}\nhttp: {{addr: '{address}'}}\n",
                storage.display()
            ),
        )?;
        let log = fs::File::create(dir.join("registry.log"))?;
        let child = Command::new(REGISTRY)
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the registry starts")?;
        let registry = Self { child, address };
        wait_for("the registry answers", || TcpStream::connect(address).ok());
        Ok(Some(registry))
    }

    /// Pushes an archive as `name` and returns the image's full name.
    ///
    /// # Errors
    /// Where `skopeo` fails.
    pub fn push(&self, archive: &Path, name: &str) -> Result<String> {
        let image = format!("{}/{name}", self.address);
        run(Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"])
            .arg(format!("docker-archive:{}", archive.display()))
            .arg(format!("docker://{image}")))?;
        Ok(image)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
