use serde_json::json;

use crate::api::kinds::{ConfigMap, Deployment, Namespace, Pod};
use crate::control::testkit::{Fate, World, deployment};
use crate::control::{Propagation, builtin};

#[test]
fn a_namespace_goes_when_its_content_is_gone_pods_first() {
    let mut world = World::new(builtin(), 1);
    world.put(ConfigMap::kind(), json!({ "metadata": { "name": "settings", "namespace": "default" } }));
    world.put(Deployment::kind(), deployment("web", 2, "one", json!({})));
    world.live(|_| Fate::Runs);
    let key = Namespace::kind().key("", "default");
    world.delete(&key, Propagation::Background);
    world.settle();
    assert_eq!(world.value(&key)["status"]["phase"], "Terminating");
    assert_eq!(world.list::<ConfigMap>().len(), 1, "the pods' configuration stays while they stop");
    assert_eq!(world.list::<Pod>().len(), 2);
    let waits = world.harness.waiting();
    let reason =
        waits.iter().find(|wait| wait.key == key).map(|wait| wait.on.to_string()).expect("the namespace waits");
    assert!(reason.contains("pods: 2"), "{reason}");
    world.live(|_| Fate::Runs);
    assert_eq!(world.list::<Namespace>().len(), 0);
    assert!(world.store().snapshot().iter().all(|stored| &*stored.key().namespace != "default"));
}

#[test]
fn what_a_finalizer_holds_is_named_in_the_conditions() {
    let mut world = World::new(builtin(), 2);
    let held = world.put(
        ConfigMap::kind(),
        json!({ "metadata": { "name": "held", "namespace": "default", "finalizers": ["example.com/hold"] } }),
    );
    let key = Namespace::kind().key("", "default");
    world.delete(&key, Propagation::Background);
    world.settle();
    let conditions = world.value(&key)["status"]["conditions"].clone();
    let message = |place: usize| conditions[place]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(message(0), "Some resources are remaining: configmaps has 1 resource instances");
    assert_eq!(
        message(1),
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    );
    world.write(held, None);
    world.settle();
    assert_eq!(world.list::<Namespace>().len(), 0);
}

#[test]
fn an_empty_namespace_goes_at_once() {
    let mut world = World::new(builtin(), 3);
    world.delete(&Namespace::kind().key("", "default"), Propagation::Background);
    world.settle();
    assert_eq!(world.list::<Namespace>().len(), 0);
}
