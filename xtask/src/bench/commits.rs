//! From a commit in a watched local repository to the new pod running.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::super::command::git;
use super::super::daemon::Daemon;
use super::Bench;

const PATIENCE: Duration = Duration::from_secs(30);
const PODS: &str = "/api/v1/namespaces/default/pods";

/// Times from moving the branch to the event that says that a pod of the new version is ready.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let dir = bench.dir("commits")?;
    let repository = dir.join("config");
    std::fs::create_dir_all(&repository)?;
    git(&repository, &["init", "--quiet", "--initial-branch=main"])?;
    let first = prepare(&repository, 0)?;
    git(&repository, &["update-ref", "refs/heads/main", &first])?;
    let daemon = Daemon::start(&bench.binary, &dir.join("state"), &repository, &dir.join("log"))?;
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    watch.until(|_, object| runs_version(object, 0))?;
    let mut times = Vec::new();
    for version in 1..=bench.samples(50) {
        // The old pod must be gone and the verdict given, or the next commit would measure that too.
        let output = daemon.bowline(&["status", "--wait", "--timeout", "30"]).output()?;
        anyhow::ensure!(output.status.success(), "not healthy: {}", String::from_utf8_lossy(&output.stdout));
        let commit = prepare(&repository, version)?;
        let started = Instant::now();
        git(&repository, &["update-ref", "refs/heads/main", &commit])?;
        watch.until(|_, object| runs_version(object, version)).context("the new version does not run")?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let aim = Some("p50 100 ms, p99 500 ms");
    bench.report.ours("commit to running", "`git update-ref` to new pod ready", "ms", times, aim);
    Ok(())
}

/// Writes a commit of a version without moving the branch, and returns it.
fn prepare(repository: &Path, version: usize) -> Result<String> {
    std::fs::write(repository.join("web.yaml"), manifest(version))?;
    git(repository, &["add", "--all"])?;
    let tree = git(repository, &["write-tree"])?;
    let mut words = vec!["commit-tree", "-m", "a version", &tree];
    let parent = git(repository, &["rev-parse", "--verify", "refs/heads/main"]).ok();
    if let Some(parent) = &parent {
        words.extend(["-p", parent]);
    }
    git(repository, &words)
}

fn manifest(version: usize) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web, version: \"{version}\"}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: host.bowline.dev/rootfs
          command: [\"/bin/sleep\", \"100{version}\"]
"
    )
}

fn runs_version(pod: &Value, version: usize) -> bool {
    let label = pod.pointer("/metadata/labels/version").and_then(Value::as_str);
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    label == Some(version.to_string().as_str())
        && conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
