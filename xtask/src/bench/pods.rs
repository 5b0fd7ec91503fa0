//! From a pod's manifest to its running processes, against podman and runc.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::command::{git, read};
use super::super::daemon::{Daemon, Watch};
use super::others::Others;
use super::{Bench, memory};

/// How long a pod may take to start or go before the measurement gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pods of the namespace that everything is measured in.
pub const PODS: &str = "/api/v1/namespaces/default/pods";
/// The image that every host has.
pub const HOST_IMAGE: &str = "host.bowline.dev/rootfs";

/// Measures one and two containers from the host's own files and from a busybox image, then memory.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let dir = bench.dir("pods")?;
    let repository = empty_repository(&dir)?;
    let daemon = Daemon::start(&bench.binary, &dir.join("state"), &repository, &dir.join("log"))?;
    daemon.bowline(&["status", "--wait", "--timeout", "60"]).output()?;
    memory::idle(&mut bench.report, &daemon)?;

    let others = Others::prepare(&bench.dir("others")?);
    let mut busybox = None;
    match &others {
        Ok(others) => busybox = Some(load(&daemon, others.archive())?),
        Err(error) => bench.report.note(format!("podman and runc are not compared: {error:#}")),
    }
    for (group, stop, containers) in [
        ("pod start, 1 container", "pod stop and clean-up, 1 container", 1),
        ("pod start, 2 containers", "pod stop and clean-up, 2 containers", 2),
    ] {
        let (start_aim, stop_aim) =
            if containers == 2 { (Some("p50 15 ms, p99 30 ms"), Some("p50 10 ms")) } else { (None, None) };
        for (what, image) in [("bowline, host image", Some(HOST_IMAGE)), ("bowline, busybox image", busybox.as_deref())]
        {
            let Some(image) = image else { continue };
            let times = lives(&daemon, image, containers, bench.samples(100), Duration::ZERO)?;
            bench.report.ours(group, what, "ms", times.starts, start_aim);
            bench.report.ours(stop, what, "ms", times.stops, stop_aim);
        }
        let times = lives(&daemon, HOST_IMAGE, containers, bench.samples(30), REST)?;
        bench.report.ours(group, "bowline, host image, on a host at rest", "ms", times.starts, None);
        bench.report.ours(stop, "bowline, host image, on a host at rest", "ms", times.stops, None);
        if let Ok(others) = &others {
            let times = others.podman(containers, bench.samples(20))?;
            bench.report.other(group, "podman kube play --network=none", "ms", times.starts);
            bench.report.other(stop, "podman pod rm --force --time=0", "ms", times.stops);
            if containers == 1 {
                let times = others.runc(bench.samples(50))?;
                bench.report.other(group, "runc run (no pod around it)", "ms", times.starts);
                bench.report.other(stop, "runc delete --force", "ms", times.stops);
            }
        }
    }
    let image = busybox.as_deref().unwrap_or(HOST_IMAGE).to_owned();
    execs(bench, &daemon, &image, others.as_ref().ok())?;
    per_pod_memory(bench, &daemon, &image)
}

/// Makes a repository with nothing that runs.
pub fn empty_repository(dir: &Path) -> Result<PathBuf> {
    let repository = dir.join("config");
    std::fs::create_dir_all(&repository)?;
    git(&repository, &["init", "--quiet", "--initial-branch=main"])?;
    std::fs::write(repository.join("nothing.yaml"), NAMESPACE)?;
    git(&repository, &["add", "--all"])?;
    git(&repository, &["commit", "--quiet", "--message", "start"])?;
    Ok(repository)
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: nothing\n";

/// Loads an archive and returns the image's name.
fn load(daemon: &Daemon, archive: &Path) -> Result<String> {
    let text = read(daemon.bowline(&["image", "load", "-o", "json"]).arg(archive))?;
    let images: Value = serde_json::from_str(&text).context("`image load` wrote no JSON")?;
    images.pointer("/0/reference").and_then(Value::as_str).map(str::to_owned).context("no image was loaded")
}

/// A program that waits, and ends when it is asked to.
pub const IDLE: [&str; 3] = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"];

/// Returns a pod whose containers wait until they are asked to end.
pub fn pod(name: &str, image: &str, containers: usize) -> Value {
    let list: Vec<Value> = (0..containers)
        .map(|index| {
            json!({"name": format!("c{index}"), "image": image, "imagePullPolicy": "IfNotPresent",
                "command": IDLE})
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 10, "containers": list}})
}

fn named(object: &Value, name: &str) -> bool {
    object.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
}

/// Whether a pod's status says that every container runs.
pub fn running(object: &Value, containers: usize) -> bool {
    let statuses = object.pointer("/status/containerStatuses").and_then(Value::as_array);
    statuses.is_some_and(|list| {
        list.len() == containers && list.iter().all(|status| status.pointer("/state/running").is_some())
    })
}

/// How long nothing happens before a start on a host at rest. Moving a process into a cgroup waits for an RCU grace
/// period unless another move was just before (`kernel/cgroup/cgroup.c`, `cgroup_attach_lock`): some 10 ms.
const REST: Duration = Duration::from_millis(500);

/// How long a program has to become ready for the signal that ends it: one that comes before is ignored, because the
/// program is the first of its process namespace.
const SETTLE: Duration = Duration::from_millis(50);

/// What was timed over the lives of some pods, in milliseconds.
#[derive(Debug, Default)]
pub struct Times {
    /// From the order to everything running.
    pub starts: Vec<f64>,
    /// From the order to nothing left.
    pub stops: Vec<f64>,
}

/// Times pods one after the other: from the moment the manifest is sent to the event that says that every container
/// runs, and from the deletion to the event that says that the pod is gone, which it is when nothing of it is left.
fn lives(daemon: &Daemon, image: &str, containers: usize, samples: usize, rest: Duration) -> Result<Times> {
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    let mut times = Times::default();
    // The first start unpacks or maps the image: that is not what is asked.
    for index in 0..=samples {
        std::thread::sleep(rest);
        let name = format!("bench-{index}");
        let started = Instant::now();
        start(daemon, &mut watch, &name, image, containers)?;
        let took = started.elapsed();
        std::thread::sleep(rest.max(SETTLE));
        let stopped = Instant::now();
        remove(daemon, &mut watch, &name)?;
        if index > 0 {
            times.starts.push(took.as_secs_f64() * 1e3);
            times.stops.push(stopped.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

/// Creates a pod and waits until the watch says that it runs.
pub fn start(daemon: &Daemon, watch: &mut Watch, name: &str, image: &str, containers: usize) -> Result<()> {
    daemon.call("POST", PODS, "application/json", &pod(name, image, containers).to_string())?;
    watch.until(|_, object| named(object, name) && running(object, containers)).map(drop)
}

/// Deletes a pod and waits until the watch says that it is gone, which is when nothing of it is left.
pub fn remove(daemon: &Daemon, watch: &mut Watch, name: &str) -> Result<()> {
    daemon.call("DELETE", &format!("{PODS}/{name}"), "application/json", "")?;
    watch.until(|kind, object| kind == "DELETED" && named(object, name))?;
    Ok(())
}

/// Times programs that run in a running container: as a probe or `kubectl exec` has it run, and by the command lines.
fn execs(bench: &mut Bench, daemon: &Daemon, image: &str, others: Option<&Others>) -> Result<()> {
    const GROUP: &str = "exec in a running container";
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    start(daemon, &mut watch, "exec", image, 1)?;
    let samples = bench.samples(200);
    let mut times = timed(samples, || daemon.exec("default", "exec", &["/bin/sh", "-c", ":"]))?;
    bench.report.ours(GROUP, "bowline, by its API", "ms", times, Some("3 ms"));
    let mut command = daemon.bowline(&["exec"]);
    command.args(["exec", "--", "/bin/sh", "-c", ":"]);
    times = timed(bench.samples(50), || read(&mut command).map(drop))?;
    bench.report.ours(GROUP, "bowline exec (a process of its own)", "ms", times, None);
    remove(daemon, &mut watch, "exec")?;
    if let Some(others) = others {
        bench.report.other(GROUP, "podman exec", "ms", others.podman_exec(bench.samples(20))?);
        bench.report.other(GROUP, "runc exec", "ms", others.runc_exec(bench.samples(50))?);
    }
    Ok(())
}

/// Times `work`, after once without.
pub fn timed(samples: usize, mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    work()?;
    let one = |_| {
        let started = Instant::now();
        work()?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    (0..samples).map(one).collect()
}

fn per_pod_memory(bench: &mut Bench, daemon: &Daemon, image: &str) -> Result<()> {
    let count = bench.samples(50);
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    let names: Vec<String> = (0..count).map(|index| format!("many-{index}")).collect();
    names.iter().try_for_each(|name| start(daemon, &mut watch, name, image, 1))?;
    memory::supervisors(&mut bench.report, daemon, count, Some("250 kB"))?;
    names.iter().try_for_each(|name| remove(daemon, &mut watch, name))
}
