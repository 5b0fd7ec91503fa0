//! The node agent: pods bound to this node become processes, and what becomes of them is told to the store.
//!
//! Decisions are in [`decide`] and [`status`], both pure; `world` is the only door to engine, images and disk.
//! Never imports the controllers: they meet in the store.
//!
//! Tasks: one dispatcher, one worker a pod, one that keeps the Node and its Lease fresh. Start reading at
//! [`Agent::start`], then `worker`.

pub mod decide;
pub mod env;
mod exec;
mod logs;
mod node;
pub mod observed;
pub mod status;
pub mod translate;
mod worker;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use crate::api::Key;
use crate::api::kinds::Pod;
use crate::host::engine::{Adopted, Engine, EngineError};
use crate::host::image::ImageStore;
use crate::store::objects::{Clock, Entropy};
use crate::store::{Store, WatchFilter};

pub use exec::{ExecError, ExecRequest, ExecSession};
pub use logs::{LogError, LogOptions, LogStream};
pub use node::{NodeFacts, node_facts};

use worker::{Bell, Worker};
use world::{World, lock};

/// What an agent works with.
pub struct Config {
    /// The node's name in the store.
    pub node_name: String,
    /// The store.
    pub store: Store,
    /// The engine; nothing of it may have been adopted yet.
    pub engine: Engine,
    /// The images.
    pub images: ImageStore,
    /// The clock.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// Directory for logs.
    pub logs: PathBuf,
    /// Directory for volumes on disk.
    pub volumes: PathBuf,
    /// Directory for secrets, meant to be on a memory file system.
    pub secrets: PathBuf,
}

/// The running agent. Dropping it ends its tasks and leaves every pod running.
pub struct Agent {
    world: Arc<World>,
    node_name: String,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Agent {
    /// Adopts the pods that run, registers the node and starts to make pods true.
    ///
    /// # Errors
    /// [`EngineError`] where the pods' directories cannot be read.
    pub async fn start(config: Config) -> Result<Arc<Self>, EngineError> {
        let facts = node_facts();
        let found = config.engine.adopt().await?;
        let found = found.into_iter().map(|adopted| (uid_of(&adopted), adopted)).collect();
        let world = Arc::new(World {
            store: config.store,
            engine: config.engine,
            images: config.images,
            clock: config.clock,
            entropy: config.entropy,
            addresses: status::NodeAddresses { host_ip: facts.address.clone() },
            capacity: (facts.cpu_milli, facts.memory_bytes),
            logs: config.logs,
            volumes: config.volumes,
            secrets: config.secrets,
            found: Mutex::new(found),
            handles: Mutex::default(),
        });
        let tasks = vec![
            tokio::spawn(node::keep(world.clone(), config.node_name.clone(), facts)),
            tokio::spawn(dispatch(world.clone(), config.node_name.clone())),
        ];
        Ok(Arc::new(Self { world, node_name: config.node_name, tasks: Mutex::new(tasks) }))
    }

    /// Returns the node's name.
    pub fn node_name(&self) -> &str {
        &self.node_name
    }

    /// Stops every pod at once, each within its own grace, and removes it. Call [`Agent::stop`] first.
    pub async fn stop_pods(&self) {
        let handles: Vec<_> = std::mem::take(&mut *lock(&self.world.handles)).into_iter().collect();
        let snapshot = self.world.snapshot();
        let ends = handles.into_iter().map(|(uid, handle)| {
            let pod = snapshot.pods_on(&self.node_name).find(|stored| stored.uid() == uid);
            let grace = pod.and_then(|stored| stored.typed::<Pod>().ok()).map_or(30, |pod| decide::grace_seconds(&pod));
            let world = self.world.clone();
            async move {
                let _lost = handle.stop_all(std::time::Duration::from_secs(grace)).await;
                world.release(&handle, &uid).await;
            }
        });
        futures_util::future::join_all(ends).await;
    }

    /// Ends the agent's tasks; pods go on under their supervisors. Idempotent.
    pub fn stop(&self) {
        lock(&self.tasks).drain(..).for_each(|task| task.abort());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop();
    }
}

fn uid_of(adopted: &Adopted) -> String {
    match adopted {
        Adopted::Alive(handle) => handle.sandbox().uid.clone(),
        Adopted::Lost(lost) => lost.sandbox.uid.clone(),
    }
}

/// The workers by pod.
#[derive(Default)]
struct Workers {
    by_key: BTreeMap<Key, Running>,
}

struct Running {
    uid: String,
    bell: Arc<Bell>,
    task: JoinHandle<()>,
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.by_key.values().for_each(|running| running.task.abort());
    }
}

impl Workers {
    /// Wakes the worker of a pod, or starts one. A pod of the same name but another uid waits for the old worker's end.
    fn wake(&mut self, world: &Arc<World>, key: &Key, uid: &str) {
        if let Some(running) = self.by_key.get(key).filter(|running| !running.task.is_finished()) {
            running.bell.pod_changed();
            if running.uid == uid {
                return;
            }
        }
        let before = self.by_key.remove(key).map(|running| running.task);
        let bell = Arc::new(Bell::default());
        let worker_world = world.clone();
        let (worker_key, worker_uid, worker_bell) = (key.clone(), uid.to_owned(), bell.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                let _ended = before.await;
            }
            Worker::new(worker_world, worker_key, worker_uid, worker_bell).run().await;
        });
        self.by_key.insert(key.clone(), Running { uid: uid.to_owned(), bell, task });
    }
}

/// Gives each pod of this node a worker, and wakes workers when their pod or its configuration changes.
async fn dispatch(world: Arc<World>, node_name: String) {
    let mut workers = Workers::default();
    loop {
        let snapshot = world.snapshot();
        let filter = WatchFilter::resource("pods").and("configmaps").and("secrets");
        let Ok(mut watcher) = world.store.watch(Some(snapshot.revision()), filter) else { continue };
        for stored in snapshot.pods_on(&node_name) {
            workers.wake(&world, stored.key(), stored.uid());
        }
        remove_strangers(&world, &snapshot, &node_name).await;
        // A watch that fell behind starts over from a new snapshot.
        while let Ok(event) = watcher.next().await {
            let object = event.object();
            if &*object.key().resource == "pods" {
                if object.node_name() == Some(node_name.as_str()) {
                    workers.wake(&world, object.key(), object.uid());
                }
                workers.by_key.retain(|_, running| !running.task.is_finished());
            } else {
                let namespace = &object.key().namespace;
                let concerned = workers.by_key.iter().filter(|(key, _)| key.namespace == *namespace);
                concerned.for_each(|(_, running)| running.bell.config_changed());
            }
        }
    }
}

/// Ends pods of this instance that the store does not know: they were deleted while no daemon ran.
async fn remove_strangers(world: &Arc<World>, snapshot: &crate::store::Snapshot, node_name: &str) {
    let known: Vec<String> = snapshot.pods_on(node_name).map(|stored| stored.uid().to_owned()).collect();
    let strangers: Vec<(String, Adopted)> = {
        let mut found = lock(&world.found);
        let uids: Vec<String> = found.keys().filter(|uid| !known.contains(uid)).cloned().collect();
        uids.into_iter().filter_map(|uid| found.remove_entry(&uid)).collect()
    };
    for (uid, adopted) in strangers {
        tracing::info!(uid, "a pod that is not wanted any more is removed");
        match adopted {
            Adopted::Alive(handle) => {
                let _lost = handle.stop_all(std::time::Duration::from_secs(2)).await;
                world.release(&handle, &uid).await;
            }
            Adopted::Lost(_) => world.remove_lost(&uid).await,
        }
        world.forget(&uid);
    }
}
