//! podman and runc, on storage of their own, doing the same work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::command::read;

const IMAGE: &str = "localhost/bench-busybox:1";

/// The two programs, with their files in one directory.
pub struct Others {
    dir: PathBuf,
    archive: PathBuf,
}

impl Others {
    /// Makes a busybox image in podman's storage, an archive of it, and a bundle for runc.
    pub fn prepare(dir: &Path) -> Result<Self> {
        let others = Self { dir: dir.to_owned(), archive: dir.join("busybox.tar") };
        // A host that does not let limits be raised refuses podman's defaults.
        let limits = "default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]";
        fs::write(dir.join("containers.conf"), format!("[containers]\n{limits}\n"))?;
        others.make_rootfs()?;
        let tar = dir.join("rootfs.tar");
        read(Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(dir.join("bundle/rootfs")).arg("."))?;
        read(others.podman_command(&["import", "--quiet"]).arg(&tar).arg(IMAGE))?;
        let save = ["save", "--quiet", "--format", "docker-archive", "--output"];
        read(others.podman_command(&save).arg(&others.archive).arg(IMAGE))?;
        others.make_bundle()?;
        Ok(others)
    }

    /// Returns the image as a `docker save` archive.
    pub fn archive(&self) -> &Path {
        &self.archive
    }

    fn make_rootfs(&self) -> Result<()> {
        let bin = self.dir.join("bundle/rootfs/bin");
        fs::create_dir_all(&bin)?;
        for dir in ["dev", "etc", "proc", "sys", "tmp", "run"] {
            fs::create_dir_all(self.dir.join("bundle/rootfs").join(dir))?;
        }
        fs::copy("/bin/busybox", bin.join("busybox")).context("cannot copy `/bin/busybox`: install busybox-static")?;
        for name in ["sh", "sleep"] {
            std::os::unix::fs::symlink("busybox", bin.join(name))?;
        }
        Ok(())
    }

    fn make_bundle(&self) -> Result<()> {
        let bundle = self.dir.join("bundle");
        read(Command::new("runc").arg("spec").arg("--bundle").arg(&bundle))?;
        let path = bundle.join("config.json");
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/sleep", "1000"]);
        fs::write(&path, config.to_string())?;
        Ok(())
    }

    fn podman_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.dir.join("containers.conf"));
        command.arg("--root").arg(self.dir.join("storage")).arg("--runroot").arg(self.dir.join("run"));
        command.args(["--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=file"]);
        command.args(words);
        command
    }

    /// Times `podman kube play` until it returns, with all containers started.
    pub fn podman(&self, containers: usize, samples: usize) -> Result<Vec<f64>> {
        let list: Vec<Value> = (0..containers)
            .map(|index| {
                json!({"name": format!("c{index}"), "image": IMAGE, "imagePullPolicy": "Never",
                    "command": ["/bin/sleep", "1000"]})
            })
            .collect();
        let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bench"},
            "spec": {"restartPolicy": "Never", "containers": list}});
        // JSON is YAML, but podman wants it to look like it.
        let file = self.dir.join("pod.yaml");
        fs::write(&file, manifest.to_string())?;
        let mut times = Vec::new();
        // The first run builds podman's pause image.
        for index in 0..=samples {
            let started = Instant::now();
            let played = read(self.podman_command(&["kube", "play", "--network=none"]).arg(&file));
            let took = started.elapsed();
            read(&mut self.podman_command(&["pod", "rm", "--force", "--all", "--time=0"]))?;
            played?;
            if index > 0 {
                times.push(took.as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    }

    /// Times `runc run` of one detached container until it returns.
    pub fn runc(&self, samples: usize) -> Result<Vec<f64>> {
        let root = self.dir.join("runc");
        let runc = |words: &[&str]| {
            let mut command = Command::new("runc");
            command.arg("--root").arg(&root).args(words);
            command
        };
        let mut times = Vec::new();
        for index in 0..=samples {
            let id = format!("bowline-bench-{}-{index}", std::process::id());
            let started = Instant::now();
            let status = runc(&["run", "--detach", "--bundle"])
                .arg(self.dir.join("bundle"))
                .arg(&id)
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .status()?;
            let took = started.elapsed();
            read(&mut runc(&["delete", "--force", &id]))?;
            anyhow::ensure!(status.success(), "`runc run` failed");
            if index > 0 {
                times.push(took.as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    }
}

/// Removes the empty cgroups that podman leaves behind, one a pod in each hierarchy that has no controller of its own.
fn remove_left_cgroups() {
    for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        let parent = hierarchy.path().join("libpod_parent");
        for left in fs::read_dir(&parent).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
            // The kernel refuses one that is in use.
            let _in_use = fs::remove_dir(left.path());
        }
        let _in_use = fs::remove_dir(parent);
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        if let Err(error) = read(&mut self.podman_command(&["pod", "rm", "--force", "--all", "--time=0"])) {
            eprintln!("cannot remove podman's pods: {error:#}");
        }
        // Unmounts the storage so that the directory can be removed.
        if let Err(error) = read(&mut self.podman_command(&["system", "reset", "--force"])) {
            eprintln!("cannot reset podman's storage: {error:#}");
        }
        remove_left_cgroups();
    }
}
