//! What a Deployment promises while it updates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::kinds::{Deployment, Pod, ReplicaSet};
use crate::control::deployment::pod_limits;
use crate::control::pods;
use crate::store::Snapshot;

use super::{Cause, Scene, Witness, pods_of, uid};

/// The Deployments that were seen, by uid.
pub(super) type Rollouts = BTreeMap<String, Rollout>;

/// What is known of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Rollout {
    /// The fewest available and the most pods that it may have.
    limits: (usize, usize),
    /// Whether there were enough available pods since these limits hold: from then on there always are.
    floor: bool,
    /// Whether there were few enough pods since these limits hold.
    ceiling: bool,
    /// How many available pods hosts and users have taken since all were available: no controller can help that.
    taken: usize,
}

/// The pods of a Deployment's ReplicaSets. Those of an earlier Deployment of the same name are none of its own.
fn mine(snapshot: &Snapshot, deployment: &Deployment) -> Vec<Arc<Pod>> {
    let owner = uid(&deployment.metadata);
    let sets = snapshot.owned_by(owner).filter(|stored| stored.controller_uid() == Some(owner));
    sets.flat_map(|set| pods_of(snapshot, set.uid())).collect()
}

fn active(snapshot: &Snapshot, deployment: &Deployment) -> Vec<Arc<Pod>> {
    mine(snapshot, deployment).into_iter().filter(|pod| pods::active(pod)).collect()
}

fn is_recreate(deployment: &Deployment) -> bool {
    deployment.spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

/// A rolling update never has fewer available pods than `replicas - maxUnavailable`, nor more than
/// `replicas + maxSurge`, but for pods that hosts and users take away.
pub(super) fn invariant_a_rolling_update_keeps_its_limits(
    witness: &mut Witness,
    scene: &Scene<'_>,
) -> Result<(), String> {
    for deployment in scene.after.typed_list::<Deployment>() {
        if is_recreate(&deployment) || deployment.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let min_ready = deployment.spec.min_ready_seconds.unwrap_or(0);
        let available = |pods: &[Arc<Pod>]| -> BTreeSet<String> {
            let available = pods.iter().filter(|pod| pods::available(pod, min_ready, scene.now));
            available.map(|pod| uid(&pod.metadata).to_owned()).collect()
        };
        let after = active(scene.after, &deployment);
        let now = available(&after);
        let rollout = witness.rollouts.entry(uid(&deployment.metadata).to_owned()).or_default();
        let limits = pod_limits(&deployment);
        if rollout.limits != limits {
            *rollout = Rollout { limits, ..Rollout::default() };
        }
        if scene.cause != Cause::Controller {
            let before = available(&active(scene.before, &deployment));
            rollout.taken += before.difference(&now).count();
        }
        if now.len() >= usize::try_from(deployment.spec.replicas.unwrap_or(1)).unwrap_or(0) {
            rollout.taken = 0;
        }
        rollout.arm(scene.after, &deployment, now.len(), after.len());
        rollout.check(&deployment.metadata.name, now.len(), after.len())?;
    }
    Ok(())
}

impl Rollout {
    /// Limits hold from when the controller has taken note of them and they have been reached.
    fn arm(&mut self, snapshot: &Snapshot, deployment: &Deployment, available: usize, active: usize) {
        let status = deployment.status.as_ref().and_then(|status| status.observed_generation);
        if status != deployment.metadata.generation {
            return;
        }
        let owner = uid(&deployment.metadata);
        let sets = snapshot.owned_by(owner).filter_map(|stored| stored.typed::<ReplicaSet>().ok());
        let (mut wanted, mut surplus) = (0, false);
        for set in sets {
            let size = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0);
            let pods = pods_of(snapshot, uid(&set.metadata));
            wanted += size;
            surplus |= pods.iter().filter(|pod| pods::active(pod)).count() > size;
        }
        // A new size that is shared among versions is no rollout: surplus pods may go while others start, and go last.
        self.floor |= available >= self.limits.0 && wanted >= self.limits.0 && !surplus;
        self.ceiling |= active <= self.limits.1 && wanted <= self.limits.1 && !surplus;
    }

    fn check(&self, name: &str, available: usize, active: usize) -> Result<(), String> {
        let (least, most) = self.limits;
        if self.floor && available + self.taken < least {
            let taken = self.taken;
            return Err(format!("`{name}` has {available} available pods ({taken} were taken), {least} have to be"));
        }
        if self.ceiling && active > most {
            return Err(format!("`{name}` has {active} pods, at most {most} are allowed"));
        }
        Ok(())
    }
}

/// A Deployment with the strategy Recreate never has pods of two versions that have not ended.
pub(super) fn invariant_recreate_never_runs_two_versions(_: &mut Witness, scene: &Scene<'_>) -> Result<(), String> {
    for deployment in scene.after.typed_list::<Deployment>().filter(|deployment| is_recreate(deployment)) {
        let mine = mine(scene.after, &deployment);
        let running = mine.iter().filter(|pod| !pods::succeeded(pod) && !pods::failed(pod));
        let versions: BTreeSet<String> =
            running.filter_map(|pod| pod.metadata.labels.get("pod-template-hash").cloned()).collect();
        if versions.len() > 1 {
            return Err(format!("`{}` has pods of {versions:?} at a time", deployment.metadata.name));
        }
    }
    Ok(())
}
