//! Many objects and many Applications.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::command::git;
use super::super::daemon::{Daemon, Watch};
use super::{Bench, memory};

const PATIENCE: Duration = Duration::from_secs(300);
const APPLICATIONS: &str = "/apis/bowline.dev/v1alpha1/namespaces/bowline-system/applications";

/// 10,000 ConfigMaps of 100 Applications.
pub fn objects_of_many(bench: &mut Bench) -> Result<()> {
    let applications = if bench.quick { 10 } else { 100 };
    objects(bench, "10,000 objects, 100 applications", applications, 100)
}

/// 10,000 ConfigMaps of one Application.
pub fn objects_of_one(bench: &mut Bench) -> Result<()> {
    let each = if bench.quick { 1_000 } else { 10_000 };
    objects(bench, "10,000 objects, 1 application", 1, each)
}

/// The first apply, a look that finds nothing, a commit that changes nothing, and one changed file.
fn objects(bench: &mut Bench, group: &'static str, applications: usize, each: usize) -> Result<()> {
    let group = if bench.quick { "1,000 objects (--quick)" } else { group };
    let dir = bench.dir(&format!("objects-of-{applications}"))?;
    let repository = repository(&dir, applications, |app, files| {
        for index in 0..each {
            files.push((format!("c{index}.yaml"), config_map(app, index, "first")));
        }
    })?;
    let started = Instant::now();
    let daemon = Daemon::start(&bench.binary, &dir.join("state"), &repository, &dir.join("log"))?;
    let mut watch = daemon.watch(APPLICATIONS, PATIENCE)?;
    all_healthy(&mut watch, applications, &head(&repository)?)?;
    let took = started.elapsed().as_secs_f64();
    bench.report.ours(group, "first apply", "s", vec![took], None);

    let looks = looks(&daemon, bench.samples(50))?;
    bench.report.ours(group, "a look that finds nothing new", "ms", looks, Some("10 ms"));
    let mut unchanged = Vec::new();
    let mut changed = Vec::new();
    let mut healthy = Vec::new();
    let mut maps = daemon.watch("/api/v1/namespaces/default/configmaps", PATIENCE)?;
    // What exists comes first.
    for _ in 0..applications * each {
        maps.next()?;
    }
    for round in 0..bench.samples(20) {
        let (commit, started) = commit(&repository)?;
        all_healthy(&mut watch, applications, &commit)?;
        unchanged.push(started.elapsed().as_secs_f64() * 1e3);

        let text = format!("round {round}");
        fs::write(repository.join("apps/a0/c0.yaml"), config_map(0, 0, &text))?;
        let (commit, started) = self::commit(&repository)?;
        maps.until(|_, object| object.pointer("/data/value").and_then(Value::as_str) == Some(&text))?;
        changed.push(started.elapsed().as_secs_f64() * 1e3);
        all_healthy(&mut watch, applications, &commit)?;
        healthy.push(started.elapsed().as_secs_f64() * 1e3);
    }
    bench.report.ours(group, "commit that changes nothing, to the last verdict", "ms", unchanged, None);
    bench.report.ours(group, "one changed file, to applied", "ms", changed, Some("50 ms"));
    bench.report.ours(group, "one changed file, to the last verdict", "ms", healthy, None);
    memory::daemon(&mut bench.report, &daemon, &format!("{} objects of {applications}", applications * each), None)
}

/// Times from asking the source to look for commits to its answer that there is none: what every poll costs.
fn looks(daemon: &Daemon, samples: usize) -> Result<Vec<f64>> {
    const SOURCES: &str = "/apis/bowline.dev/v1alpha1/namespaces/bowline-system/gitrepositories";
    let mut watch = daemon.watch(SOURCES, PATIENCE)?;
    let mut times = Vec::new();
    for index in 0..samples {
        let stamp = format!("bench-{index}");
        let patch = json!({"metadata": {"annotations": {"bowline.dev/requested-at": stamp}}}).to_string();
        let started = Instant::now();
        daemon.call("PATCH", &format!("{SOURCES}/config"), "application/merge-patch+json", &patch)?;
        watch.until(|_, object| {
            object.pointer("/status/lastHandledReconcileAt").and_then(Value::as_str) == Some(stamp.as_str())
        })?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// 1,000 Applications of a Deployment without replicas, a ConfigMap, a Secret and a ServiceAccount.
pub fn many_applications(bench: &mut Bench) -> Result<()> {
    let applications = if bench.quick { 100 } else { 1000 };
    let group = if bench.quick { "100 applications x 4 objects (--quick)" } else { "1,000 applications x 4 objects" };
    let dir = bench.dir("applications")?;
    let repository = repository(&dir, applications, |app, files| files.push(("all.yaml".into(), four_objects(app))))?;
    let commit = head(&repository)?;
    let started = Instant::now();
    let daemon = Daemon::start(&bench.binary, &dir.join("state"), &repository, &dir.join("log"))?;
    let mut watch = daemon.watch(APPLICATIONS, PATIENCE)?;
    all_healthy(&mut watch, applications, &commit)?;
    let took = started.elapsed().as_secs_f64();
    bench.report.ours(group, "from start to everything healthy", "s", vec![took], Some("5 s (Flux: 253 s)"));
    memory::daemon(&mut bench.report, &daemon, &format!("{applications} applications"), Some("64 MB"))
}

type NamedText = (String, String);

/// Makes a repository of Applications `a0`, `a1` and so on, with the files that `fill` gives each.
fn repository(dir: &Path, applications: usize, fill: impl Fn(usize, &mut Vec<NamedText>)) -> Result<PathBuf> {
    let repository = dir.join("config");
    fs::create_dir_all(&repository)?;
    let mut list = String::new();
    for app in 0..applications {
        write!(
            list,
            "apiVersion: bowline.dev/v1alpha1\nkind: Application\nmetadata: {{name: a{app}, namespace: bowline-system}}\n\
             spec: {{source: {{name: config}}, path: apps/a{app}, targetNamespace: default}}\n---\n"
        )?;
        let directory = repository.join(format!("apps/a{app}"));
        fs::create_dir_all(&directory)?;
        let mut files = Vec::new();
        fill(app, &mut files);
        for (name, text) in files {
            fs::write(directory.join(name), text)?;
        }
    }
    fs::write(repository.join("applications.yaml"), list)?;
    fs::write(repository.join(".bowlineignore"), "apps/\n")?;
    git(&repository, &["init", "--quiet", "--initial-branch=main"])?;
    git(&repository, &["add", "--all"])?;
    git(&repository, &["commit", "--quiet", "--message", "start"])?;
    Ok(repository)
}

/// Commits what is on disk, even if nothing changed. The clock starts when the commit exists and the branch is about
/// to move: reading 10,000 files to write a tree is Git's time.
fn commit(repository: &Path) -> Result<(String, Instant)> {
    git(repository, &["add", "--all"])?;
    let (tree, parent) = (git(repository, &["write-tree"])?, head(repository)?);
    let commit = git(repository, &["commit-tree", "-m", "a commit", "-p", &parent, &tree])?;
    let started = Instant::now();
    git(repository, &["update-ref", "refs/heads/main", &commit])?;
    Ok((commit, started))
}

fn config_map(app: usize, index: usize, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a{app}-c{index}\ndata:\n  value: {value}\n  text: |\n    {}\n",
        "some text ".repeat(20)
    )
}

fn four_objects(app: usize) -> String {
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: a{app}}}
data: {{key: value}}
---
apiVersion: v1
kind: Secret
metadata: {{name: a{app}}}
stringData: {{key: value}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: a{app}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: a{app}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: a{app}}}}}
  template:
    metadata: {{labels: {{app: a{app}}}}}
    spec:
      containers:
        - {{name: app, image: host.bowline.dev/rootfs, command: [\"/bin/sleep\", \"1000\"]}}
"
    )
}

fn head(repository: &Path) -> Result<String> {
    git(repository, &["rev-parse", "HEAD"])
}

/// Waits until all Applications, with the root, have the verdict healthy on a commit.
fn all_healthy(watch: &mut Watch, applications: usize, commit: &str) -> Result<()> {
    let mut done = BTreeSet::new();
    while done.len() <= applications {
        let (_, object) =
            watch.next().with_context(|| format!("{} of {} applications are healthy", done.len(), applications + 1))?;
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if object.pointer("/status/revision/healthy").and_then(Value::as_str) == Some(commit) {
            done.insert(name);
        }
    }
    Ok(())
}
