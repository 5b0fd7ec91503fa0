//! The node agent: pods bound to this node become processes, and what becomes of them is told to the store.
//!
//! Decisions are in [`decide`] and [`status`], both pure; `world` is the only door to engine, images and disk.
//! Never imports the controllers: they meet in the store.
//!
//! Tasks: one dispatcher, one worker a pod (its pulls and stops are tasks that end with it), one that keeps the Node
//! and its Lease fresh, one that writes events. Start reading at [`Agent::start`], then `worker`.

mod conditions;
mod container_status;
pub mod decide;
mod dispatch;
pub mod env;
mod exec;
mod logs;
mod node;
pub mod observed;
pub mod past;
mod perform;
pub mod phase;
pub mod probed;
pub mod status;
mod telling;
#[cfg(test)]
mod tests;
pub mod translate;
mod worker;
mod world;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use crate::api::kinds::Pod;
use crate::host::engine::{Adopted, Engine, EngineError};
use crate::host::image::ImageStore;
use crate::store::Store;
use crate::store::objects::{Clock, Entropy};

pub use exec::{ExecError, ExecRequest, ExecSession};
pub use logs::{LogError, LogOptions, LogStream};
pub use node::{NodeFacts, node_facts};

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
        let (told, heard) = tokio::sync::mpsc::channel(telling::WAITING_MAX);
        let telling = telling::keep(config.store.clone(), config.clock.clone(), config.node_name.clone(), heard);
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
            told,
        });
        past::correct(&world, &config.node_name).await;
        let tasks = vec![
            tokio::spawn(node::keep(world.clone(), config.node_name.clone(), facts)),
            tokio::spawn(telling),
            tokio::spawn(dispatch::dispatch(world.clone(), config.node_name.clone())),
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
