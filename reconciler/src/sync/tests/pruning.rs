use bowline_runtime::api::kinds::Application;

use super::super::{ROOT, SYSTEM_NAMESPACE};
use super::manifests::{application, config_map, deployment};
use super::world::{Fate, World, key};
use crate::plan::CONFIRM;

fn three() -> World {
    let mut world = World::new(&[
        ("a.yaml", &config_map("a", "1")),
        ("b.yaml", &config_map("b", "1")),
        ("c.yaml", &config_map("c", "1")),
    ]);
    world.settle();
    world.happened();
    world
}

#[test]
fn what_left_the_repository_goes_once_the_rest_is_healthy() {
    let mut world = three();
    world.fates.insert("web".into(), Fate::Stuck);
    world.commit(&[("a.yaml", ""), ("web.yaml", &deployment("web", "one"))]);
    world.settle();
    assert_eq!(world.happened(), ["create deployments.apps web"], "nothing goes before health");
    world.fates.insert("web".into(), Fate::Well);
    world.settle();
    assert_eq!(world.happened(), ["delete configmaps a"]);
    assert_eq!(world.status(ROOT).inventory.len(), 3);
}

#[test]
fn a_render_that_fails_or_is_missing_prunes_nothing() {
    for (case, files) in [
        ("invalid YAML", vec![("a.yaml", ""), ("b.yaml", "a: [\n")]),
        ("an unknown kind", vec![("a.yaml", ""), ("b.yaml", "apiVersion: v1\nkind: Nothing\nmetadata: {name: b}\n")]),
        (
            "an unknown field",
            vec![("a.yaml", ""), ("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndate: {}\n")],
        ),
    ] {
        let mut world = three();
        world.commit(&files);
        world.settle();
        assert!(world.happened().is_empty(), "{case}");
        let ready = world.condition("Ready");
        assert!(ready.contains("b.yaml:") && ready.contains("was rejected"), "{case}: {ready}");
    }
}

#[test]
fn a_path_that_vanishes_prunes_nothing() {
    let mut world = World::new(&[("dir/a.yaml", &config_map("a", "1")), ("other.txt", "x")]);
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "dir".into());
    world.settle();
    world.happened();
    world.commit(&[("dir/a.yaml", "")]);
    world.settle();
    assert!(world.happened().is_empty());
    assert!(world.condition("Stalled").starts_with("True RenderFailed"), "{}", world.condition("Stalled"));
}

#[test]
fn an_empty_commit_is_held_and_what_was_applied_is_kept() {
    let mut world = three();
    let commit = world.commit(&[("a.yaml", ""), ("b.yaml", ""), ("c.yaml", ""), ("README", "nothing here")]);
    world.settle();
    assert!(world.happened().is_empty());
    let held = world.status(ROOT).held.expect("it is held");
    assert_eq!((held.reason.as_deref(), held.deletions.len()), (Some("EmptyRender"), 3));
    assert!(world.condition("Ready").starts_with("False Held: the commit holds no objects at all"));
    world.edit(&key("configmaps", "a"), |object| object["data"]["key"] = "changed".into());
    world.settle();
    assert_eq!(world.live("configmaps", "a").unwrap()["data"]["key"], "1", "drift is put right all the same");
    world.happened();
    world.annotate(ROOT, CONFIRM, &commit);
    world.settle();
    assert_eq!(world.happened().len(), 3);
    assert!(world.status(ROOT).held.is_none());
}

#[test]
fn deletions_beyond_the_budget_wait_for_a_word() {
    let mut world = three();
    let commit = world.commit(&[("a.yaml", ""), ("b.yaml", "")]);
    world.settle();
    assert!(world.happened().is_empty());
    let held = world.status(ROOT).held.expect("it is held");
    assert_eq!(held.deletions, ["ConfigMap default/a", "ConfigMap default/b"]);
    assert!(
        held.message.unwrap().starts_with("2 of 3 objects would be deleted, more than `spec.deletionBudget` (50%)")
    );
    world.annotate(ROOT, CONFIRM, "another-commit");
    world.settle();
    assert!(world.happened().is_empty(), "the word is for one commit");
    world.annotate(ROOT, CONFIRM, &commit);
    world.settle();
    assert_eq!(world.happened(), ["delete configmaps a", "delete configmaps b"]);
    world.expect(&commit, &commit, &commit, "");
}

#[test]
fn a_held_commit_gives_way_to_the_next_one() {
    let mut world = three();
    world.commit(&[("a.yaml", ""), ("b.yaml", "")]);
    world.settle();
    let commit = world.commit(&[("a.yaml", &config_map("a", "1")), ("b.yaml", &config_map("b", "1"))]);
    world.settle();
    assert!(world.happened().is_empty());
    assert!(world.status(ROOT).held.is_none());
    world.expect(&commit, &commit, &commit, "");
}

#[test]
fn an_object_that_says_so_is_not_pruned() {
    let mut world = three();
    let keep = config_map("a", "1").replace("  name: a", "  name: a\n  annotations: {bowline.dev/prune: disabled}");
    world.commit(&[("a.yaml", &keep)]);
    world.settle();
    world.happened();
    world.commit(&[("a.yaml", "")]);
    world.settle();
    assert!(world.happened().is_empty());
    assert_eq!(world.status(ROOT).inventory.len(), 2);
}

#[test]
fn without_prune_nothing_is_deleted() {
    let mut world = three();
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["prune"] = false.into());
    world.commit(&[("a.yaml", "")]);
    world.settle();
    assert!(world.happened().is_empty());
    assert!(world.condition("Ready").starts_with("True Healthy"));
}

#[test]
fn a_deleted_child_application_takes_its_objects_along_or_leaves_them() {
    for (prune, expected) in [("", vec!["delete configmaps x"]), ("  prune: false\n", vec![])] {
        let mut world = World::new(&[
            ("apps/one.yaml", &application("one", "one", prune)),
            ("apps/two.yaml", &application("two", "two", "")),
            ("apps/three.yaml", &config_map("own", "1")),
            ("one/a.yaml", &config_map("x", "1")),
            ("two/a.yaml", &config_map("z", "1")),
        ]);
        world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "apps".into());
        world.settle();
        world.happened();
        world.commit(&[("apps/one.yaml", "")]);
        world.settle();
        assert_eq!(world.happened(), expected, "{prune}");
        let gone = world.store.snapshot().get(&Application::kind().key(SYSTEM_NAMESPACE, "one")).is_none();
        assert!(gone, "the finalizer lets it go");
    }
}

#[test]
fn what_a_deleted_child_takes_along_counts_against_the_budget() {
    let mut world = World::new(&[
        ("apps/one.yaml", &application("one", "one", "")),
        ("apps/own.yaml", &config_map("own", "1")),
        ("one/a.yaml", &config_map("x", "1")),
        ("one/b.yaml", &config_map("z", "1")),
    ]);
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "apps".into());
    world.settle();
    world.happened();
    world.commit(&[("apps/one.yaml", "")]);
    world.settle();
    assert!(world.happened().is_empty());
    let held = world.status(ROOT).held.unwrap_or_else(|| panic!("it is held: {}", world.condition("Ready")));
    assert_eq!(held.deletions, ["Application bowline-system/one", "ConfigMap default/x", "ConfigMap default/z"]);
}
