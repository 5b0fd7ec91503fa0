//! From a pod's manifest to its running processes, against podman and runc.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::command::{git, read};
use super::super::daemon::{Daemon, Watch};
use super::others::Others;
use super::{Bench, memory};

/// How long a pod may take to start or go before the measurement gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const PODS: &str = "/api/v1/namespaces/default/pods";
/// The image that every host has.
const HOST_IMAGE: &str = "host.bowline.dev/rootfs";

/// Measures one and two containers from the host's own files and from a busybox image, then memory.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let dir = bench.dir("pods")?;
    let repository = dir.join("config");
    std::fs::create_dir_all(&repository)?;
    git(&repository, &["init", "--quiet", "--initial-branch=main"])?;
    std::fs::write(repository.join("nothing.yaml"), NAMESPACE)?;
    git(&repository, &["add", "--all"])?;
    git(&repository, &["commit", "--quiet", "--message", "start"])?;
    let daemon = Daemon::start(&bench.binary, &dir.join("state"), &repository, &dir.join("log"))?;
    daemon.bowline(&["status", "--wait", "--timeout", "60"]).output()?;
    memory::idle(&mut bench.report, &daemon)?;

    let others = Others::prepare(&bench.dir("others")?);
    let mut busybox = None;
    match &others {
        Ok(others) => busybox = Some(load(&daemon, others.archive())?),
        Err(error) => bench.report.note(format!("podman and runc are not compared: {error:#}")),
    }
    for (group, containers) in [("pod start, 1 container", 1), ("pod start, 2 containers", 2)] {
        let aim = (containers == 2).then_some("p50 15 ms, p99 30 ms");
        for (what, image) in [("bowline, host image", Some(HOST_IMAGE)), ("bowline, busybox image", busybox.as_deref())]
        {
            let Some(image) = image else { continue };
            let samples = starts(&daemon, image, containers, bench.samples(100), Duration::ZERO)?;
            bench.report.ours(group, what, "ms", samples, aim);
        }
        let samples = starts(&daemon, HOST_IMAGE, containers, bench.samples(30), REST)?;
        bench.report.ours(group, "bowline, host image, on a host at rest", "ms", samples, None);
        if let Ok(others) = &others {
            bench.report.other(group, "podman kube play", "ms", others.podman(containers, bench.samples(20))?);
            if containers == 1 {
                bench.report.other(group, "runc run (no pod around it)", "ms", others.runc(bench.samples(50))?);
            }
        }
    }
    let image = busybox.as_deref().unwrap_or(HOST_IMAGE).to_owned();
    per_pod_memory(bench, &daemon, &image)
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: nothing\n";

/// Loads an archive and returns the image's name.
fn load(daemon: &Daemon, archive: &Path) -> Result<String> {
    let text = read(daemon.bowline(&["image", "load", "-o", "json"]).arg(archive))?;
    let images: Value = serde_json::from_str(&text).context("`image load` wrote no JSON")?;
    images.pointer("/0/reference").and_then(Value::as_str).map(str::to_owned).context("no image was loaded")
}

fn pod(name: &str, image: &str, containers: usize) -> Value {
    let list: Vec<Value> = (0..containers)
        .map(|index| {
            json!({"name": format!("c{index}"), "image": image, "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sleep", "1000"]})
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": list}})
}

fn named(object: &Value, name: &str) -> bool {
    object.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
}

fn running(object: &Value, containers: usize) -> bool {
    let statuses = object.pointer("/status/containerStatuses").and_then(Value::as_array);
    statuses.is_some_and(|list| {
        list.len() == containers && list.iter().all(|status| status.pointer("/state/running").is_some())
    })
}

/// How long nothing happens before a start on a host at rest. Moving a process into a cgroup waits for an RCU grace
/// period unless another move was just before (`kernel/cgroup/cgroup.c`, `cgroup_attach_lock`): some 10 ms.
const REST: Duration = Duration::from_millis(500);

/// Times from the moment the manifest is sent to the event that says that every container runs.
fn starts(daemon: &Daemon, image: &str, containers: usize, samples: usize, rest: Duration) -> Result<Vec<f64>> {
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    let mut times = Vec::new();
    // The first start unpacks or maps the image: that is not what is asked.
    for index in 0..=samples {
        std::thread::sleep(rest);
        let name = format!("bench-{index}");
        let manifest = pod(&name, image, containers).to_string();
        let started = Instant::now();
        daemon.call("POST", PODS, "application/json", &manifest)?;
        watch.until(|_, object| named(object, &name) && running(object, containers))?;
        if index > 0 {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        remove(daemon, &mut watch, &name)?;
    }
    Ok(times)
}

fn remove(daemon: &Daemon, watch: &mut Watch, name: &str) -> Result<()> {
    daemon.call("DELETE", &format!("{PODS}/{name}"), "application/json", "{\"gracePeriodSeconds\":0}")?;
    watch.until(|kind, object| kind == "DELETED" && named(object, name))?;
    Ok(())
}

fn per_pod_memory(bench: &mut Bench, daemon: &Daemon, image: &str) -> Result<()> {
    let count = bench.samples(50);
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    let name = |index: usize| format!("many-{index}");
    for index in 0..count {
        daemon.call("POST", PODS, "application/json", &pod(&name(index), image, 1).to_string())?;
        watch.until(|_, object| named(object, &name(index)) && running(object, 1))?;
    }
    memory::supervisors(&mut bench.report, daemon, count)?;
    (0..count).try_for_each(|index| remove(daemon, &mut watch, &name(index)))
}
