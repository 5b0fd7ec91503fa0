//! bowline's own endpoints: plans, image imports, and the end of everything.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::kinds::Application;
use bowline_runtime::api::{Key, Timestamp, chain, strict};
use bowline_runtime::host::agent::Agent;
use bowline_runtime::host::image::ImageStore;
use bowline_runtime::store::Snapshot;
use bowline_runtime::store::objects::{Objects, StatusError};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

use crate::apply::inventory;
use crate::plan::{self, Desired, Facts, Owner, Problem, Resolved, human, plan};
use crate::server::{Admin, LoadedImage, PlanObject, PlanRequest};

/// The daemon, as its own endpoints see it.
pub(super) struct DaemonAdmin {
    objects: Objects,
    images: ImageStore,
    agent: Arc<Agent>,
    down: watch::Sender<bool>,
}

impl DaemonAdmin {
    pub(super) fn new(objects: Objects, images: ImageStore, agent: Arc<Agent>, down: watch::Sender<bool>) -> Self {
        Self { objects, images, agent, down }
    }

    fn plan_one(&self, snapshot: &Snapshot, request: &PlanRequest) -> Value {
        let now: Timestamp = self.objects.now();
        let resolved = resolve(&self.objects, request);
        let entropy = rand::random::<u128>;
        let facts = Facts { snapshot, kinds: self.objects.kinds(), now, entropy: &entropy };
        let plan = plan(&owner(snapshot, &request.application), "", &resolved, &facts, &|_, _| false);
        let mut value = serde_json::to_value(&plan).expect("invariant: a plan serialises");
        value["text"] = human(&plan).into();
        value
    }
}

/// Returns the owner's side of a plan: an Application that exists, or one that would be made.
fn owner(snapshot: &Snapshot, id: &str) -> Owner {
    let (namespace, name) = id.split_once('/').unwrap_or(("", id));
    let live = snapshot.typed_get::<Application>(namespace, name);
    let entries = live.as_ref().and_then(|live| live.status.as_ref()).map(|status| status.inventory.clone());
    let inventory: BTreeSet<Key> =
        entries.unwrap_or_default().iter().filter_map(|entry| inventory::key(&entry.id)).collect();
    Owner {
        id: id.to_owned(),
        inventory: Arc::new(inventory),
        prune: live.as_ref().is_none_or(|live| live.spec.prune != Some(false)),
        budget: live.and_then(|live| live.spec.deletion_budget.clone()),
        confirmed: None,
    }
}

/// Turns what a client rendered into wanted objects; the client has checked them, and they are checked again here.
fn resolve(objects: &Objects, request: &PlanRequest) -> Resolved {
    let mut resolved = Resolved::default();
    for PlanObject { value, place } in &request.objects {
        match plan::check_one(value, objects.kinds(), &request.target_namespace) {
            Ok((kind, key, config)) => {
                let warnings = strict::warnings(kind, &config);
                resolved.warnings.extend(warnings.into_iter().map(|message| Problem {
                    place: place.clone(),
                    message: format!("{} `{}`: {message}", kind.kind, key.name),
                }));
                resolved.objects.push(Arc::new(Desired::new(kind, key, &config, place.as_str())));
            }
            Err(problems) => {
                let all = problems.into_iter().map(|(_, message)| Problem { place: place.clone(), message });
                resolved.problems.extend(all);
            }
        }
    }
    resolved
}

impl Admin for DaemonAdmin {
    fn plan(&self, applications: Vec<PlanRequest>) -> BoxFuture<'_, Result<Vec<Value>, StatusError>> {
        Box::pin(async move {
            let snapshot = self.objects.store().snapshot();
            Ok(applications.iter().map(|request| self.plan_one(&snapshot, request)).collect())
        })
    }

    fn load_images(&self, path: PathBuf) -> BoxFuture<'_, Result<Vec<LoadedImage>, StatusError>> {
        Box::pin(async move {
            let loaded = self.images.load(path).await.map_err(|error| StatusError::bad_request(chain(&error)))?;
            let one = |image: &bowline_runtime::host::image::Image| LoadedImage {
                reference: image.reference.clone(),
                digest: image.digest.as_str().to_owned(),
            };
            Ok(loaded.iter().map(one).collect())
        })
    }

    fn down(&self) -> BoxFuture<'_, Result<u64, StatusError>> {
        Box::pin(async move {
            let snapshot = self.objects.store().snapshot();
            let pods = snapshot.list("pods").filter(|pod| {
                let value = pod.value();
                let phase = value.pointer("/status/phase").and_then(Value::as_str);
                !matches!(phase, Some("Succeeded" | "Failed"))
            });
            let count = pods.count() as u64;
            self.agent.stop();
            self.agent.stop_pods().await;
            // The answer goes out first; then the program ends.
            let down = self.down.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                down.send_replace(true);
            });
            Ok(count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_does_not_exist_owns_nothing_yet() {
        let store = bowline_runtime::store::Store::memory();
        let owner = owner(&store.snapshot(), "a/b");
        assert!(owner.inventory.is_empty() && owner.prune);
        assert_eq!(owner.id, "a/b");
    }
}
