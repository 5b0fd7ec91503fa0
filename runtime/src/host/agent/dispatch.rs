//! Gives each pod of the node a worker, and wakes workers when their pod or its configuration changes.
//!
//! Decides nothing about a pod: a wake-up carries no data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use super::worker::{Bell, Worker};
use super::world::{World, lock};
use crate::api::Key;
use crate::host::engine::Adopted;
use crate::store::{Event, EventKind, Snapshot, WatchFilter};

/// How long the processes of a pod get whose object went while no daemon ran.
const STRANGER_GRACE: Duration = Duration::from_secs(2);

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
        let worker = Worker::new(world.clone(), key.clone(), uid.to_owned(), bell.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                let _ended = before.await;
            }
            worker.run().await;
        });
        self.by_key.insert(key.clone(), Running { uid: uid.to_owned(), bell, task });
    }

    /// Wakes every worker: what they missed is not known.
    fn wake_all(&self) {
        self.by_key.values().for_each(|running| running.bell.pod_changed());
    }

    fn handle(&mut self, world: &Arc<World>, node_name: &str, event: &Event) {
        let object = event.object();
        if &*object.key().resource != "pods" {
            let namespace = &object.key().namespace;
            let concerned = self.by_key.iter().filter(|(key, _)| key.namespace == *namespace);
            concerned.for_each(|(_, running)| running.bell.config_changed());
            return;
        }
        match &event.kind {
            EventKind::Put { new, .. } if new.node_name() == Some(node_name) => self.wake(world, new.key(), new.uid()),
            // One that is gone needs no worker of its own any more.
            EventKind::Put { .. } | EventKind::Delete { .. } => {
                if let Some(running) = self.by_key.get(object.key()) {
                    running.bell.pod_changed();
                }
            }
        }
        self.by_key.retain(|_, running| !running.task.is_finished());
    }
}

/// Runs until it is dropped; its workers end with it, the pods stay.
pub(super) async fn dispatch(world: Arc<World>, node_name: String) {
    let mut workers = Workers::default();
    let mut strangers = JoinSet::new();
    loop {
        let snapshot = world.snapshot();
        let filter = WatchFilter::resource("pods").and("configmaps").and("secrets");
        let Ok(mut watcher) = world.store.watch(Some(snapshot.revision()), filter) else { continue };
        workers.wake_all();
        for stored in snapshot.pods_on(&node_name) {
            workers.wake(&world, stored.key(), stored.uid());
        }
        remove_strangers(&world, &snapshot, &node_name, &mut strangers);
        // A watch that fell behind starts over from a new snapshot.
        while let Ok(event) = watcher.next().await {
            workers.handle(&world, &node_name, &event);
        }
    }
}

/// Ends pods of this instance that the store does not know: they were deleted while no daemon ran.
fn remove_strangers(world: &Arc<World>, snapshot: &Snapshot, node_name: &str, tasks: &mut JoinSet<()>) {
    let known: Vec<&str> = snapshot.pods_on(node_name).map(|stored| stored.uid()).collect();
    let mut found = lock(&world.found);
    let uids: Vec<String> = found.keys().filter(|uid| !known.contains(&uid.as_str())).cloned().collect();
    for (uid, adopted) in uids.into_iter().filter_map(|uid| found.remove_entry(&uid)) {
        let world = world.clone();
        tasks.spawn(async move {
            tracing::info!(uid, "a pod that is not wanted any more is removed");
            match adopted {
                Adopted::Alive(handle) => {
                    // A supervisor that ended meanwhile leaves what the release removes.
                    let _lost = handle.stop_all(STRANGER_GRACE).await;
                    world.release(&handle, &uid).await;
                }
                Adopted::Lost(_) => world.remove_lost(&uid).await,
            }
            world.forget(&uid).await;
        });
    }
}
