use bowline_runtime::api::kinds::{Application, ConfigMap};
use serde_json::json;

use super::super::{ROOT, SYSTEM_NAMESPACE};
use super::manifests::{application, config_map, deployment};
use super::world::{Fate, World};
use crate::plan::OWNER;

fn two(one: &[(&str, &str)]) -> World {
    let (first, second) = (application("one", "one", ""), application("two", "two", ""));
    let mut files =
        vec![("apps/one.yaml", first.as_str()), ("apps/two.yaml", second.as_str()), ("two/own.yaml", "# nothing\n")];
    let own = config_map("own", "1");
    files.push(("one/own.yaml", &own));
    files.extend(one);
    let mut world = World::new(&files);
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "apps".into());
    world.settle();
    world.happened();
    world
}

#[test]
fn an_object_that_moves_to_another_application_is_not_deleted() {
    let map = config_map("x", "1");
    let mut world = two(&[("one/x.yaml", &map)]);
    world.commit(&[("one/x.yaml", ""), ("two/x.yaml", &map)]);
    world.settle();
    assert_eq!(world.happened(), ["update configmaps x"], "only its owner changes");
    assert_eq!(world.live("configmaps", "x").unwrap()["metadata"]["annotations"][OWNER], "bowline-system/two");
    for name in ["one", "two"] {
        assert!(world.condition_of(name, "Ready").starts_with("True Healthy"), "{}", world.condition_of(name, "Ready"));
    }
}

#[test]
fn an_object_that_two_applications_declare_stays_with_its_owner_and_both_are_named() {
    let map = config_map("x", "1");
    let mut world = two(&[("one/x.yaml", &map)]);
    world.commit(&[("two/x.yaml", &config_map("x", "2"))]);
    world.settle();
    assert!(world.happened().is_empty());
    let stalled = world.condition_of("two", "Stalled");
    assert_eq!(
        stalled,
        "True Invalid: two/x.yaml:1: ConfigMap `x` is declared by application `bowline-system/two` and belongs to \
         application `bowline-system/one`: an object has one owner; remove it from one of the two"
    );
    world.commit(&[("one/x.yaml", "")]);
    world.settle();
    assert_eq!(world.live("configmaps", "x").unwrap()["data"]["key"], "2", "the next commit resolves it");
}

#[test]
fn an_object_that_exists_is_adopted_with_the_fields_of_others() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.apply(
        ConfigMap::kind(),
        json!({"metadata": {"name": "a", "namespace": "default"}, "data": {"other": "x", "key": "0"}}),
    );
    world.settle();
    let live = world.live("configmaps", "a").unwrap();
    assert_eq!(live["data"], json!({"key": "1", "other": "x"}));
    assert_eq!(live["metadata"]["annotations"][OWNER], "bowline-system/config");
    assert!(world.condition("Ready").starts_with("True Healthy"));
}

#[test]
fn a_rejected_commit_releases_what_it_adopted_and_deletes_what_it_made() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    world.apply(
        ConfigMap::kind(),
        json!({"metadata": {"name": "theirs", "namespace": "default"}, "data": {"other": "x"}}),
    );
    world.happened();
    world.fates.insert("web".into(), Fate::Fails);
    world.commit(&[
        ("theirs.yaml", &config_map("theirs", "1")),
        ("new.yaml", &config_map("new", "1")),
        ("web.yaml", &deployment("web", "one")),
    ]);
    world.settle();
    assert!(world.live("configmaps", "new").is_none());
    assert!(world.live("deployments.apps", "web").is_none());
    let theirs = world.live("configmaps", "theirs").expect("it was there before");
    assert_eq!((&theirs["data"], theirs["metadata"]["annotations"].get(OWNER)), (&json!({"other": "x"}), None));
}
