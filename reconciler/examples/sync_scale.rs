//! Measures the Git side at scale and prints the figures: 10,000 objects in one Application and in a hundred, and
//! 1,000 Applications of 4 objects. Real repositories, a real store on disk, no pods.
//!
//! Run with `cargo run --release --example sync_scale`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures real time and shows the figures")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use bowline::sync::{Config, ROOT, SYSTEM_NAMESPACE, Sync};
use bowline_runtime::api::kinds::{self, Application, GitRepository, Namespace};
use bowline_runtime::api::{Key, Kind, Timestamp};
use bowline_runtime::store::objects::{Applier, Objects, WriteOptions};
use bowline_runtime::store::{Options, Store, WatchFilter};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    large(10_000, 1).await?;
    large(10_000, 100).await?;
    many(1000).await?;
    println!("memory at the end: {} kB, at most {} kB", memory("VmRSS")?, memory("VmHWM")?);
    Ok(())
}

/// A running syncing side over a repository in a temporary directory.
struct World {
    directory: tempfile::TempDir,
    store: Store,
    objects: Objects,
    sync: Option<Sync>,
    config: Config,
}

impl World {
    async fn start(files: &[(String, String)], path: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        git2::Repository::init(directory.path().join("config"))?;
        let store = Store::open(&directory.path().join("store.db"), Options::default())?;
        let clock: bowline_runtime::store::objects::Clock = Arc::new(|| Timestamp::from_system(SystemTime::now()));
        let entropy: bowline_runtime::store::objects::Entropy = Arc::new(rand::random::<u128>);
        let objects = Objects::new(store.clone(), kinds::builtin(), clock.clone(), entropy.clone());
        let cache = directory.path().join("git");
        let config = Config { store: store.clone(), kinds: kinds::builtin(), cache, clock, entropy };
        let mut world = Self { directory, store, objects, sync: None, config };
        for namespace in ["default", SYSTEM_NAMESPACE] {
            world.apply(Namespace::kind(), json!({"metadata": {"name": namespace}})).await?;
        }
        world.commit(files)?;
        let metadata = json!({"name": ROOT, "namespace": SYSTEM_NAMESPACE});
        let url = world.directory.path().join("config");
        world.apply(GitRepository::kind(), json!({"metadata": metadata, "spec": {"url": url}})).await?;
        world
            .apply(Application::kind(), json!({"metadata": metadata, "spec": {"source": {"name": ROOT}, "path": path}}))
            .await?;
        world.sync = Some(Sync::start(world.config.clone()));
        Ok(world)
    }

    async fn apply(&mut self, kind: &'static Kind, mut value: Value) -> anyhow::Result<()> {
        value["apiVersion"] = kind.api_version().into();
        value["kind"] = kind.kind.into();
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let applier = Applier { manager: "example", force: true };
        self.objects.apply(kind, &namespace, &name, value, applier, None, &WriteOptions::default()).await?;
        Ok(())
    }

    /// Commits files on top of what there is; returns the commit.
    fn commit(&self, files: &[(String, String)]) -> anyhow::Result<String> {
        let root = self.directory.path().join("config");
        let repository = git2::Repository::open(&root)?;
        let mut index = repository.index()?;
        for (path, text) in files {
            let file = root.join(path);
            std::fs::create_dir_all(file.parent().context("a directory")?)?;
            std::fs::write(file, text)?;
            index.add_path(Path::new(path))?;
        }
        index.write()?;
        let tree = repository.find_tree(index.write_tree()?)?;
        let who = git2::Signature::now("Ann", "ann@example.org")?;
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        Ok(repository.commit(Some("HEAD"), &who, &who, "change", &tree, &parents)?.to_string())
    }

    /// Waits until an event makes `done` true.
    async fn until(&self, done: impl Fn(&Store) -> bool) -> anyhow::Result<()> {
        let mut watcher = self.store.watch(None, WatchFilter::all())?;
        while !done(&self.store) {
            match tokio::time::timeout(Duration::from_secs(120), watcher.next()).await.context("nothing happens")? {
                Ok(_) => while let Ok(Some(_)) = watcher.try_next() {},
                Err(_) => watcher = self.store.watch(None, WatchFilter::all())?,
            }
        }
        Ok(())
    }
}

/// Whether every Application is healthy at a commit.
fn healthy_at(store: &Store, commit: &str, applications: usize) -> bool {
    let snapshot = store.snapshot();
    let at = |stored: &&Arc<bowline_runtime::store::Stored>| {
        stored.value().pointer("/status/revision/healthy").and_then(Value::as_str) == Some(commit)
    };
    snapshot.list("applications.bowline.dev").filter(at).count() == applications
}

fn config_map(name: &str, value: usize) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: \"{value}\"\n  other: text\n")
}

fn application(name: &str, path: &str) -> String {
    format!(
        "apiVersion: bowline.dev/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: {SYSTEM_NAMESPACE}\n\
         spec:\n  source:\n    name: {ROOT}\n  path: {path}\n"
    )
}

/// Objects spread over Applications: first apply, a commit elsewhere, one changed file, a requested pass.
async fn large(objects: usize, applications: usize) -> anyhow::Result<()> {
    let each = objects / applications;
    let mut files = vec![("README".to_owned(), "one".to_owned())];
    for application_index in 0..applications {
        if applications > 1 {
            let name = format!("app-{application_index}");
            files.push((format!("apps/{name}.yaml"), application(&name, &format!("objects/{name}"))));
        }
        for object in 0..each {
            let name = format!("object-{application_index}-{object}");
            let directory = if applications > 1 { format!("app-{application_index}/") } else { String::new() };
            files.push((format!("objects/{directory}{name}.yaml"), config_map(&name, 0)));
        }
    }
    let (path, total) = if applications > 1 { ("apps", applications + 1) } else { ("objects", 1) };
    let world = World::start(&files, path).await?;
    let start = Instant::now();
    let first = git2::Repository::open(world.directory.path().join("config"))?.head()?.target().context("a commit")?;
    world.until(|store| healthy_at(store, &first.to_string(), total)).await?;
    println!("{objects} objects in {applications} applications: first apply {:?}", start.elapsed());

    let changed = if applications > 1 { "objects/app-7/object-7-3.yaml" } else { "objects/object-0-3.yaml" };
    let name = changed.rsplit('/').next().and_then(|name| name.strip_suffix(".yaml")).context("a name")?.to_owned();
    let key = Key { resource: "configmaps".into(), namespace: "default".into(), name: name.as_str().into() };
    let (mut to_applied, mut to_healthy, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=5_usize {
        let commit = world.commit(&[("README".to_owned(), format!("round {round}"))])?;
        let start = Instant::now();
        world.until(|store| healthy_at(store, &commit, total)).await?;
        elsewhere.push(start.elapsed());
        let commit = world.commit(&[(changed.to_owned(), config_map(&name, round))])?;
        let start = Instant::now();
        let text = round.to_string();
        world
            .until(|store| {
                let snapshot = store.snapshot();
                snapshot.get(&key).is_some_and(|live| live.value()["data"]["key"] == text.as_str())
            })
            .await?;
        to_applied.push(start.elapsed());
        world.until(|store| healthy_at(store, &commit, total)).await?;
        to_healthy.push(start.elapsed());
    }
    println!("  a commit elsewhere, until every status says so: {}", shown(&elsewhere));
    println!(
        "  one changed file, from the commit to the object (10 ms of it wait for the burst to end): {}",
        shown(&to_applied)
    );
    println!("  the same, until every status says healthy: {}", shown(&to_healthy));
    let mut restarted = world;
    restarted.sync = None;
    let mut cpu = Vec::new();
    let before = cpu_ms()?;
    let start = Instant::now();
    let revision = restarted.store.revision();
    restarted.sync = Some(Sync::start(restarted.config.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    cpu.push(cpu_ms()? - before);
    anyhow::ensure!(restarted.store.revision() == revision, "a start that finds nothing new writes nothing");
    println!("  a start over unchanged objects: {} ms of processor time in {:?}", cpu[0], start.elapsed());
    let root = Application::kind().key(SYSTEM_NAMESPACE, ROOT);
    let mut passes = Vec::new();
    for round in 0..5 {
        let stamp = format!("round {round}");
        let patch = json!({"metadata": {"annotations": {"bowline.dev/requested-at": stamp}}});
        let options = WriteOptions { manager: "example".to_owned(), ..WriteOptions::default() };
        let kind = bowline_runtime::store::objects::PatchKind::Merge;
        restarted.objects.patch(Application::kind(), SYSTEM_NAMESPACE, ROOT, kind, &patch, None, &options).await?;
        let start = Instant::now();
        restarted
            .until(|store| {
                let snapshot = store.snapshot();
                let handled = snapshot
                    .get(&root)
                    .and_then(|live| live.value().pointer("/status/lastHandledReconcileAt").cloned());
                handled.as_ref().and_then(Value::as_str) == Some(stamp.as_str())
            })
            .await?;
        passes.push(start.elapsed());
    }
    println!("  a requested pass that finds nothing, with the write that says so: {}", shown(&passes));
    Ok(())
}

/// Many small Applications, applied for the first time.
async fn many(applications: usize) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for index in 0..applications {
        let name = format!("app-{index}");
        files.push((format!("apps/{name}.yaml"), application(&name, &format!("objects/{name}"))));
        let text = (0..4).fold(String::new(), |mut text, object| {
            let _always = write!(text, "---\n{}", config_map(&format!("{name}-{object}"), 0));
            text
        });
        files.push((format!("objects/{name}/all.yaml"), text));
    }
    let before = memory("VmRSS")?;
    let world = World::start(&files, "apps").await?;
    let start = Instant::now();
    let first = git2::Repository::open(world.directory.path().join("config"))?.head()?.target().context("a commit")?;
    world.until(|store| healthy_at(store, &first.to_string(), applications + 1)).await?;
    println!("{applications} applications of 4 objects: first apply {:?}", start.elapsed());
    println!("  memory: {} kB more than before", memory("VmRSS")?.saturating_sub(before));
    Ok(())
}

fn shown(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    format!("median {:?}, worst {:?}", sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

fn memory(field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(field)).context("a memory figure")?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
}

fn cpu_ms() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(ticks * 10)
}
