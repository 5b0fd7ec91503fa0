//! What holds once faults have stopped and nothing moves any more.

use crate::api::Object;
use crate::api::kinds::{Deployment, Job, Pod};
use crate::control::job::is_finished;
use crate::control::pods;
use crate::sim::World;

use super::{Violation, uid};

/// A promise about a world at rest.
type Promise = fn(&World) -> Result<(), String>;

const PROMISES: [(&str, Promise); 5] = [
    ("invariant_the_next_decision_is_empty", invariant_the_next_decision_is_empty),
    ("invariant_no_object_survives_its_owner", invariant_no_object_survives_its_owner),
    ("invariant_workloads_come_to_their_end", invariant_workloads_come_to_their_end),
    ("invariant_hosts_run_what_the_store_says", invariant_hosts_run_what_the_store_says),
    ("invariant_no_exit_is_forgotten", invariant_no_exit_is_forgotten),
];

/// Checks a world in which nothing moves by itself any more.
///
/// # Errors
/// The first promise that broke.
pub fn at_rest(world: &World) -> Result<(), Violation> {
    for (name, promise) in PROMISES {
        promise(world).map_err(|what| Violation { promise: name, what })?;
    }
    Ok(())
}

fn invariant_the_next_decision_is_empty(world: &World) -> Result<(), String> {
    match world.harness.pending(world.now).first() {
        Some((controller, action)) => Err(format!("{controller} would still {action}")),
        None => Ok(()),
    }
}

/// No object has a controller that is gone, and nothing is held by a finalizer of ours.
fn invariant_no_object_survives_its_owner(world: &World) -> Result<(), String> {
    let snapshot = world.store().snapshot();
    for stored in snapshot.iter() {
        if let Some(owner) = stored.controller_uid()
            && !snapshot.iter().any(|known| known.uid() == owner)
        {
            return Err(format!("`{}` is there, and its owner is not", stored.key()));
        }
        if stored.deletion_timestamp().is_some() {
            return Err(format!("`{}` was deleted and is still there", stored.key()));
        }
    }
    Ok(())
}

/// Every Deployment is complete and every Job over.
fn invariant_workloads_come_to_their_end(world: &World) -> Result<(), String> {
    for deployment in world.list::<Deployment>() {
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = deployment.spec.replicas.unwrap_or(1);
        let counts = [status.replicas, status.updated_replicas, status.available_replicas];
        let seen = status.observed_generation == deployment.metadata.generation;
        if !seen || counts.iter().any(|count| count.unwrap_or(0) != wanted) {
            return Err(format!("`{}` wants {wanted} pods and has {counts:?}", deployment.key()));
        }
    }
    match world.list::<Job>().iter().find(|job| !is_finished(job)) {
        Some(job) => Err(format!("`{}` is not over: {:?}", job.key(), job.status)),
        None => Ok(()),
    }
}

/// Hosts run what is bound to them and has not ended, and nothing else.
fn invariant_hosts_run_what_the_store_says(world: &World) -> Result<(), String> {
    let pods = world.list::<Pod>();
    for host in world.hosts.values() {
        let mut running = host.running();
        let bound = pods.iter().filter(|pod| pods::node(pod) == Some(host.name()));
        let live = bound.filter(|pod| !pods::succeeded(pod) && !pods::failed(pod));
        let mut wanted: Vec<&str> = live.map(|pod| uid(&pod.metadata)).collect();
        running.sort_unstable();
        wanted.sort_unstable();
        if running != wanted {
            return Err(format!("`{}` runs {running:?} and is to run {wanted:?}", host.name()));
        }
    }
    Ok(())
}

/// How the containers of a pod ended on their host, also while the agent was away, is what the store says of the pod.
fn invariant_no_exit_is_forgotten(world: &World) -> Result<(), String> {
    for pod in world.list::<Pod>() {
        let host = pods::node(&pod).and_then(|node| world.hosts.get(node));
        let Some(succeeded) = host.and_then(|host| host.own_end(uid(&pod.metadata))) else { continue };
        if succeeded != pods::succeeded(&pod) || succeeded == pods::failed(&pod) {
            let ended = if succeeded { "well" } else { "badly" };
            return Err(format!("`{}` ended {ended}, and the store says otherwise", pod.key()));
        }
    }
    Ok(())
}
