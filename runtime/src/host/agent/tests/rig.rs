//! A node on this host: store in memory, engine, images, agent. Pods name the node themselves, so that nothing
//! schedules.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::api::kinds::{ConfigMap, Namespace, Pod, Secret, builtin};
use crate::api::{Kind, Timestamp};
use crate::host::agent::world::lock;
use crate::host::agent::{Agent, Config, LogOptions};
use crate::host::engine::tests::{engine_in, has_group, kill_remains};
use crate::host::engine::{ContainerPhase, Engine};
use crate::host::image::ImageStore;
use crate::store::objects::{Clock, DeleteOptions, Entropy, Objects, WriteOptions};
use crate::store::{Store, WatchFilter};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// The node.
pub const NODE: &str = "node-1";
/// A script that ends by SIGTERM only if it wants to.
pub const FOREVER: &str = "while :; do sleep 0.1; done";

pub struct Rig {
    pub dir: tempfile::TempDir,
    pub engine: Engine,
    pub objects: Objects,
    images: ImageStore,
    clock: Clock,
    entropy: Entropy,
    agent: Option<Arc<Agent>>,
}

impl Rig {
    pub async fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("bowline-agent-").tempdir().expect("a directory");
        let engine = engine_in(dir.path().join("pods"));
        let images = ImageStore::open(dir.path().join("images")).expect("an image store");
        let clock: Clock = Arc::new(|| Timestamp::from_system(SystemTime::now()));
        let counter = AtomicU64::new(0);
        // UIDs must differ between tests, which share a cgroup.
        let seed = u128::from(rand::random::<u64>()) << 64;
        let entropy: Entropy = Arc::new(move || seed | u128::from(counter.fetch_add(1, Ordering::Relaxed)) << 8);
        let objects = Objects::new(Store::memory(), builtin(), clock.clone(), entropy.clone());
        let mut rig = Self { dir, engine, objects, images, clock, entropy, agent: None };
        rig.create(Namespace::kind(), json!({ "metadata": { "name": "default" } })).await;
        rig.start().await;
        rig
    }

    /// Starts an agent; the one before is gone.
    pub async fn start(&mut self) {
        let sub = |name: &str| self.dir.path().join(name);
        let config = Config {
            node_name: NODE.into(),
            store: self.objects.store().clone(),
            engine: self.engine.clone(),
            images: self.images.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            logs: sub("logs"),
            volumes: sub("volumes"),
            secrets: sub("secrets"),
        };
        self.agent = Some(Agent::start(config).await.expect("the agent starts"));
    }

    /// Ends the agent as the end of its process would: its connections close, its pods run on.
    pub async fn stop(&mut self) {
        let agent = self.agent.take().expect("an agent");
        let tasks: Vec<_> = lock(&agent.tasks).drain(..).collect();
        for task in tasks {
            task.abort();
            let _ended = task.await;
        }
        lock(&agent.world.handles).clear();
    }

    pub fn agent(&self) -> &Arc<Agent> {
        self.agent.as_ref().expect("an agent")
    }

    async fn create(&self, kind: &'static Kind, value: Value) -> String {
        let namespace = if kind.namespaced() { "default" } else { "" };
        let written =
            self.objects.create(kind, namespace, value, &WriteOptions::default()).await.expect("it is created");
        written.object.uid().to_owned()
    }

    pub async fn config_map(&self, name: &str, data: Value) {
        self.create(ConfigMap::kind(), json!({ "metadata": { "name": name }, "data": data })).await;
    }

    pub async fn secret(&self, name: &str, data: Value) {
        self.create(Secret::kind(), json!({ "metadata": { "name": name }, "stringData": data })).await;
    }

    /// Creates a pod on the node and returns its uid.
    pub async fn pod(&self, name: &str, mut spec: Value) -> String {
        spec["nodeName"] = NODE.into();
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if container["image"].is_null() {
                    container["image"] = "host.bowline.dev/rootfs".into();
                }
            }
        }
        self.create(Pod::kind(), json!({ "metadata": { "name": name, "labels": { "app": "test" } }, "spec": spec }))
            .await
    }

    pub fn find(&self, name: &str) -> Option<Arc<Pod>> {
        self.objects.store().snapshot().typed_get("default", name)
    }

    /// Waits until a pod is as wanted; a pod that is gone counts as `None`.
    pub async fn wait(&self, name: &str, what: &str, wanted: impl Fn(Option<&Pod>) -> bool) -> Option<Arc<Pod>> {
        let store = self.objects.store();
        let mut watcher = store.watch(None, WatchFilter::resource("pods")).expect("a watch");
        let waiting = async {
            loop {
                let pod = self.find(name);
                if wanted(pod.as_deref()) {
                    return pod;
                }
                watcher.next().await.expect("an event");
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(pod) => pod,
            Err(_) => {
                let stored = store.snapshot().get(&Pod::kind().key("default", name)).cloned();
                let typed = stored.as_ref().map(|stored| stored.typed::<Pod>().map(drop));
                panic!(
                    "{name} is not {what} in time: {typed:?} {:#?}",
                    stored.map(|stored| Value::clone(&stored.value()))
                )
            }
        }
    }

    pub async fn phase(&self, name: &str, phase: &str) -> Arc<Pod> {
        let pod = self.wait(name, phase, |pod| phase_of(pod) == Some(phase)).await;
        pod.expect("it is there")
    }

    /// Waits until a container shows this, such as `running`, `waiting CrashLoopBackOff` or `terminated Error 3`.
    pub async fn shows(&self, name: &str, container: &str, wanted: &str) -> Arc<Pod> {
        let pod = self.wait(name, wanted, |pod| pod.is_some_and(|pod| shown(pod, container).starts_with(wanted))).await;
        pod.expect("it is there")
    }

    pub async fn gone(&self, name: &str) {
        self.wait(name, "gone", |pod| pod.is_none()).await;
    }

    pub async fn delete(&self, name: &str, grace: Option<i64>) {
        let options = DeleteOptions { grace, ..DeleteOptions::default() };
        self.objects.delete(Pod::kind(), "default", name, &options).await.expect("it can be deleted");
    }

    /// Reads what a container that has ended wrote.
    pub async fn output(&self, name: &str, container: &str) -> String {
        let options = LogOptions { container: Some(container.into()), ..LogOptions::default() };
        let mut stream = self.agent().logs("default", name, options).expect("a log");
        let mut text = String::new();
        while let Some(part) = stream.recv().await {
            text.push_str(&String::from_utf8_lossy(&part.expect("text")));
        }
        text
    }

    /// Waits until the log of a container has a line.
    pub async fn says(&self, name: &str, container: &str, line: &str) {
        let options = LogOptions { container: Some(container.into()), follow: true, ..LogOptions::default() };
        let mut stream = self.agent().logs("default", name, options).expect("a log");
        let waiting = async {
            while let Some(part) = stream.recv().await {
                if String::from_utf8_lossy(&part.expect("text")).contains(line) {
                    return;
                }
            }
            panic!("{name}/{container} ended without saying `{line}`");
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it says so in time");
    }

    /// Returns process id and start time of each running container.
    pub async fn processes(&self, uid: &str) -> Vec<(String, u32, u64)> {
        let handle = lock(&self.agent().world.handles).get(uid).cloned().expect("it runs");
        let state = handle.status().await.expect("a state");
        let running = state.containers.into_iter().filter_map(|container| match container.phase {
            ContainerPhase::Running { pid, .. } => {
                let ticks = crate::host::supervisor::records::start_ticks(pid).expect("a start time");
                Some((container.name, pid, ticks))
            }
            _ => None,
        });
        running.collect()
    }

    /// Returns `reason message` of the events about a pod, waiting for one that starts so.
    pub async fn event(&self, pod: &str, wanted: &str) -> String {
        let store = self.objects.store();
        let mut watcher = store.watch(Some(store.oldest()), WatchFilter::resource("events")).expect("a watch");
        let mut heard = Vec::new();
        let waiting = async {
            loop {
                let event = watcher.next().await.expect("an event");
                let value = event.object().value();
                let text = |field: &str| value[field].as_str().unwrap_or_default();
                if value["involvedObject"]["name"] == pod {
                    let line = format!("{} {} {}", text("type"), text("reason"), text("message"));
                    if line.starts_with(wanted) {
                        return line;
                    }
                    heard.push(line);
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(line) => line,
            Err(_) => panic!("nobody tells `{wanted}`: {heard:#?}"),
        }
    }

    /// Removes every pod and checks that nothing is left of any.
    pub async fn end(mut self) {
        let store = self.objects.store().clone();
        let pods: Vec<Arc<Pod>> = store.snapshot().typed_list::<Pod>().collect();
        let ever: Vec<String> = pods.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        for pod in &pods {
            self.delete(&pod.metadata.name, Some(0)).await;
        }
        let left = || -> Vec<String> {
            let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mount table");
            let dir = self.dir.path().to_string_lossy().into_owned();
            let mut left: Vec<String> = mounts.lines().filter(|line| line.contains(&dir)).map(str::to_owned).collect();
            for sub in ["pods", "volumes", "secrets", "logs"] {
                let entries = fs::read_dir(self.dir.path().join(sub)).into_iter().flatten().flatten();
                left.extend(entries.map(|entry| entry.path().display().to_string()));
            }
            left.extend(ever.iter().filter(|uid| has_group(&self.engine, uid)).map(|uid| format!("cgroup of {uid}")));
            left
        };
        let end = std::time::Instant::now() + PATIENCE;
        while !left().is_empty() {
            assert!(std::time::Instant::now() < end, "left: {:#?}", left());
            tokio::task::yield_now().await;
        }
        self.stop().await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let handles = self.agent.as_ref().map(|agent| lock(&agent.world.handles).clone()).unwrap_or_default();
        let entries = fs::read_dir(self.dir.path().join("pods")).into_iter().flatten().flatten();
        let uids: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        for uid in uids.iter().filter_map(|path| path.file_name()?.to_str()) {
            eprintln!(
                "{uid}: {}",
                fs::read_to_string(self.engine.run_dir(uid).join("supervisor.log")).unwrap_or_default()
            );
            kill_remains(&self.engine, uid, handles.get(uid).map(|handle| handle.supervisor_pid()));
        }
    }
}

pub fn phase_of(pod: Option<&Pod>) -> Option<&str> {
    pod?.status.as_ref()?.phase.as_deref()
}

/// Says in one line what a container shows.
pub fn shown(pod: &Pod, container: &str) -> String {
    let statuses =
        pod.status.iter().flat_map(|status| status.init_container_statuses.iter().chain(&status.container_statuses));
    let found = statuses.into_iter().find(|known| known.name == container).and_then(|known| known.state.clone());
    let Some(state) = found else { return String::new() };
    match (state.waiting, state.running, state.terminated) {
        (Some(waiting), ..) => {
            format!("waiting {}: {}", waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default())
        }
        (_, Some(_), _) => "running".to_owned(),
        (.., Some(end)) => {
            format!(
                "terminated {} {} {}",
                end.reason.unwrap_or_default(),
                end.exit_code,
                end.message.unwrap_or_default()
            )
        }
        _ => String::new(),
    }
}

/// Describes a container that runs a script.
pub fn script(name: &str, text: &str) -> Value {
    json!({ "name": name, "command": ["/bin/sh", "-c", text] })
}
