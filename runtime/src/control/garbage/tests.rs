use serde_json::{Value, json};

use crate::api::kinds::{ConfigMap, Deployment, Pod, ReplicaSet};
use crate::api::{Key, Object};
use crate::control::testkit::{Fate, World, deployment};
use crate::control::{Propagation, builtin};

fn names(world: &World) -> String {
    let maps = world.list::<ConfigMap>();
    maps.iter().map(|map| map.metadata.name.clone()).collect::<Vec<_>>().join(" ")
}

/// Makes a ConfigMap owned by others, `name` or `!name` for a reference that blocks.
fn map(world: &mut World, name: &str, owners: &[&str]) -> Key {
    let owners: Vec<Value> = owners
        .iter()
        .map(|owner| {
            let (owner, blocks) = owner.strip_prefix('!').map_or((*owner, false), |owner| (owner, true));
            let key = ConfigMap::kind().key("default", owner);
            let uid =
                world.store().snapshot().get(&key).map_or("uid-of-nobody".to_owned(), |stored| stored.uid().to_owned());
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": blocks })
        })
        .collect();
    let mut value = json!({ "metadata": { "name": name, "namespace": "default", "ownerReferences": owners } });
    crate::api::object::strip_absent(&mut value);
    world.put(ConfigMap::kind(), value)
}

#[test]
fn what_has_lost_its_last_owner_goes() {
    let mut world = World::new(builtin(), 1);
    let first = map(&mut world, "first", &[]);
    let second = map(&mut world, "second", &[]);
    map(&mut world, "child", &["first", "second"]);
    map(&mut world, "grandchild", &["child"]);
    world.settle();
    world.delete(&first, Propagation::Background);
    world.settle();
    assert_eq!(names(&world), "child grandchild second");
    let child = world.value(&ConfigMap::kind().key("default", "child"));
    assert_eq!(child["metadata"]["ownerReferences"].as_array().map(Vec::len), Some(1), "the lost owner is forgotten");
    world.delete(&second, Propagation::Background);
    world.settle();
    assert_eq!(names(&world), "");
}

#[test]
fn an_owner_is_told_by_its_uid() {
    let mut world = World::new(builtin(), 2);
    map(&mut world, "child", &["absent"]);
    map(&mut world, "absent", &[]);
    world.settle();
    assert_eq!(names(&world), "absent");
}

#[test]
fn an_owner_of_an_unknown_kind_counts_as_present() {
    let mut world = World::new(builtin(), 3);
    let owner = json!([{ "apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "u" }]);
    world.put(
        ConfigMap::kind(),
        json!({ "metadata": { "name": "child", "namespace": "default", "ownerReferences": owner } }),
    );
    world.settle();
    assert_eq!(names(&world), "child");
}

#[test]
fn a_foreground_deletion_waits_for_the_blocking_dependents() {
    let mut world = World::new(builtin(), 4);
    let owner = map(&mut world, "owner", &[]);
    let child = map(&mut world, "child", &["!owner"]);
    world.edit(&child, |value| value["metadata"]["finalizers"] = json!(["example.com/hold"]));
    world.settle();
    world.delete(&owner, Propagation::Foreground);
    world.settle();
    assert_eq!(names(&world), "child owner");
    let waits = world.harness.waiting();
    let reason = waits.iter().find(|wait| wait.key == owner).map(|wait| wait.on.to_string());
    assert_eq!(reason.as_deref(), Some("1 object(s) that it owns have to go first (foreground deletion)"));
    world.write(child, None);
    world.settle();
    assert_eq!(names(&world), "");
}

#[test]
fn an_orphaning_deletion_leaves_the_dependents_without_owner() {
    let mut world = World::new(builtin(), 5);
    let owner = map(&mut world, "owner", &[]);
    let child = map(&mut world, "child", &["owner"]);
    world.settle();
    world.delete(&owner, Propagation::Orphan);
    world.settle();
    assert_eq!(names(&world), "child");
    assert_eq!(world.value(&child)["metadata"]["ownerReferences"], Value::Null);
}

#[test]
fn a_circle_that_is_deleted_in_the_foreground_comes_to_an_end() {
    let mut world = World::new(builtin(), 6);
    let keys = ["a", "b", "c"].map(|name| map(&mut world, name, &[]));
    for (key, owner) in keys.iter().zip(["c", "a", "b"]) {
        let uid = world.value(&ConfigMap::kind().key("default", owner))["metadata"]["uid"].clone();
        let reference =
            json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": true }]);
        world.edit(key, |value| value["metadata"]["ownerReferences"] = reference);
    }
    world.settle();
    assert_eq!(names(&world), "a b c");
    world.delete(&keys[0], Propagation::Foreground);
    world.settle();
    assert_eq!(names(&world), "");
}

#[test]
fn deleting_a_deployment_takes_replica_sets_and_pods_along_whatever_the_policy() {
    for propagation in [Propagation::Background, Propagation::Foreground] {
        let mut world = World::new(builtin(), 7);
        let key = world.put(Deployment::kind(), deployment("web", 3, "one", json!({})));
        world.live(|_| Fate::Runs);
        assert_eq!(world.list::<Pod>().len(), 3);
        world.delete(&key, propagation);
        world.live(|_| Fate::Runs);
        let left = (world.list::<Deployment>().len(), world.list::<ReplicaSet>().len(), world.list::<Pod>().len());
        assert_eq!(left, (0, 0, 0), "{propagation:?}");
    }
}

#[test]
fn an_orphaned_replica_set_keeps_its_pods_and_is_taken_over_again() {
    let mut world = World::new(builtin(), 8);
    let key = world.put(Deployment::kind(), deployment("web", 2, "one", json!({})));
    world.live(|_| Fate::Runs);
    let before: Vec<Key> = world.list::<Pod>().iter().map(|pod| pod.key()).collect();
    world.delete(&key, Propagation::Orphan);
    world.live(|_| Fate::Runs);
    assert_eq!((world.list::<Deployment>().len(), world.list::<Pod>().len()), (0, 2));
    world.put(Deployment::kind(), deployment("web", 2, "one", json!({})));
    world.live(|_| Fate::Runs);
    let after: Vec<Key> = world.list::<Pod>().iter().map(|pod| pod.key()).collect();
    assert_eq!(before, after, "the same pods serve on");
}
