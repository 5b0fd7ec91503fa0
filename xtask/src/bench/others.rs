//! podman and runc, on storage of their own, doing the same work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::command::read;
use super::pods::{IDLE, Times, timed};

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
        config["process"]["args"] = json!(IDLE);
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

    /// Times `podman kube play` until it returns, with all containers started, and the forced removal of the pod.
    pub fn podman(&self, containers: usize, samples: usize) -> Result<Times> {
        let file = self.manifest(containers)?;
        let mut times = Times::default();
        // The first run builds podman's pause image.
        for index in 0..=samples {
            let started = Instant::now();
            let played = read(self.podman_command(&["kube", "play", "--network=none"]).arg(&file));
            let took = started.elapsed();
            let stopped = Instant::now();
            self.remove_pods()?;
            played?;
            if index > 0 {
                times.starts.push(took.as_secs_f64() * 1e3);
                times.stops.push(stopped.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    }

    /// Times `podman exec` of a program that does nothing.
    pub fn podman_exec(&self, samples: usize) -> Result<Vec<f64>> {
        read(self.podman_command(&["kube", "play", "--network=none"]).arg(self.manifest(1)?))?;
        let mut exec = self.podman_command(&["exec", "bench-c0", "/bin/sh", "-c", ":"]);
        let times = timed(samples, || read(&mut exec).map(drop));
        self.remove_pods()?;
        times
    }

    fn remove_pods(&self) -> Result<()> {
        read(&mut self.podman_command(&["pod", "rm", "--force", "--all", "--time=0"])).map(drop)
    }

    fn manifest(&self, containers: usize) -> Result<PathBuf> {
        let list: Vec<Value> = (0..containers)
            .map(|index| {
                json!({"name": format!("c{index}"), "image": IMAGE, "imagePullPolicy": "Never",
                    "command": IDLE})
            })
            .collect();
        let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bench"},
            "spec": {"restartPolicy": "Never", "containers": list}});
        // JSON is YAML, but podman wants it to look like it.
        let file = self.dir.join("pod.yaml");
        fs::write(&file, manifest.to_string())?;
        Ok(file)
    }

    fn runc_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.dir.join("runc")).args(words);
        command
    }

    fn runc_run(&self, id: &str) -> Result<()> {
        let mut run = self.runc_command(&["run", "--detach", "--bundle"]);
        run.arg(self.dir.join("bundle")).arg(id);
        // Not `read`: the container would keep the pipes open.
        let status = run.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        anyhow::ensure!(status.success(), "`runc run` failed");
        Ok(())
    }

    /// Times `runc run` of one detached container until it returns, and its forced deletion.
    pub fn runc(&self, samples: usize) -> Result<Times> {
        let mut times = Times::default();
        for index in 0..=samples {
            let id = format!("bowline-bench-{}-{index}", std::process::id());
            let started = Instant::now();
            let ran = self.runc_run(&id);
            let took = started.elapsed();
            let stopped = Instant::now();
            read(&mut self.runc_command(&["delete", "--force", &id]))?;
            ran?;
            if index > 0 {
                times.starts.push(took.as_secs_f64() * 1e3);
                times.stops.push(stopped.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    }

    /// Times `runc exec` of a program that does nothing.
    pub fn runc_exec(&self, samples: usize) -> Result<Vec<f64>> {
        let id = format!("bowline-bench-{}-exec", std::process::id());
        self.runc_run(&id)?;
        let mut exec = self.runc_command(&["exec", &id, "/bin/sh", "-c", ":"]);
        let times = timed(samples, || read(&mut exec).map(drop));
        read(&mut self.runc_command(&["delete", "--force", &id]))?;
        times
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
