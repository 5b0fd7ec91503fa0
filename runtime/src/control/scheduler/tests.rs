use serde_json::{Value, json};

use crate::api::kinds::{Event, Node, Pod};
use crate::control::builtin;
use crate::control::testkit::World;

fn pod(world: &mut World, name: &str, selector: Value) {
    let spec = json!({ "containers": [{ "name": "main", "image": "one" }], "nodeSelector": selector });
    world.put(Pod::kind(), json!({ "metadata": { "name": name, "namespace": "default" }, "spec": spec }));
}

fn node(world: &mut World, name: &str, ready: &str, cordoned: bool) {
    world.put(
        Node::kind(),
        json!({
            "metadata": { "name": name, "labels": { "disk": name } },
            "spec": { "unschedulable": cordoned },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }),
    );
}

fn places(world: &World) -> String {
    let pods = world.list::<Pod>();
    pods.iter()
        .map(|pod| format!("{}:{}", pod.metadata.name, pod.spec.node_name.as_deref().unwrap_or("-")))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn pods_are_spread_over_the_nodes_that_take_them() {
    let mut world = World::new(builtin(), 1);
    node(&mut world, "node-2", "True", false);
    node(&mut world, "node-3", "False", false);
    node(&mut world, "node-4", "True", true);
    for name in ["a", "b", "c", "d"] {
        pod(&mut world, name, json!({}));
    }
    pod(&mut world, "e", json!({ "disk": "node-2" }));
    world.settle();
    assert_eq!(places(&world), "a:node-1 b:node-2 c:node-1 d:node-2 e:node-2");
    let scheduled = &world.list::<Pod>()[0].status.clone().unwrap_or_default().conditions;
    assert!(scheduled.iter().any(|condition| condition.type_ == "PodScheduled" && condition.status == "True"));
}

#[test]
fn a_pod_that_fits_nowhere_says_why_and_waits_for_a_node() {
    let mut world = World::new(builtin(), 2);
    node(&mut world, "node-2", "False", false);
    pod(&mut world, "a", json!({ "disk": "node-5" }));
    world.settle();
    let expected = "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.";
    let status = world.list::<Pod>()[0].status.clone().unwrap_or_default();
    let condition = status.conditions.iter().find(|condition| condition.type_ == "PodScheduled").expect("is set");
    assert_eq!((condition.reason.as_deref(), condition.message.as_deref()), (Some("Unschedulable"), Some(expected)));
    let told = world.list::<Event>();
    assert_eq!(
        told.iter().map(|event| (event.reason.clone(), event.count)).collect::<Vec<_>>(),
        [(Some("FailedScheduling".to_owned()), Some(1))]
    );
    node(&mut world, "node-5", "True", false);
    world.settle();
    assert_eq!(places(&world), "a:node-5");
}
