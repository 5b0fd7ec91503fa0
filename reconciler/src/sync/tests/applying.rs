use bowline_runtime::api::kinds::Application;
use serde_json::json;

use super::super::{ROOT, SYSTEM_NAMESPACE};
use super::manifests::{application, config_map, deployment, namespace, secret};
use super::world::{Fate, World, key};

#[test]
fn a_first_commit_is_applied_in_order_and_becomes_healthy() {
    let web = deployment("web", "one").replace("name: web\nspec", "name: web\n  namespace: prod\nspec");
    let settings = config_map("settings", "a").replace("name: settings", "name: settings\n  namespace: prod");
    let mut world = World::new(&[("a.yaml", &web), ("b.yaml", &settings), ("c.yaml", &namespace("prod"))]);
    let commit = world.repository.head().unwrap().target().unwrap().to_string();
    world.happened();
    world.settle();
    assert_eq!(
        world.happened(),
        ["create namespaces prod", "create configmaps settings", "create deployments.apps web"]
    );
    world.expect(&commit, &commit, &commit, "");
    assert_eq!(world.condition("Ready"), format!("True Healthy: everything is as {} says", &commit[..7]));
    assert_eq!(world.condition("Reconciling"), "False Done: ");
    assert_eq!(world.condition("Stalled"), "False Done: ");
    assert_eq!(world.condition("Healthy"), "True Healthy: every object is healthy");
    let status = world.status(ROOT);
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.inventory.len(), 3);
}

#[test]
fn the_inventory_is_written_before_the_first_object() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1")), ("b.yaml", &namespace("prod"))]);
    world.settle();
    let application = Application::kind().key(SYSTEM_NAMESPACE, ROOT);
    let history = world.store.history(&application);
    let listed = |id: &str| {
        let lists = |held: &&bowline_runtime::store::Held| held.object.value()["status"].to_string().contains(id);
        history.iter().find(lists).expect("it is listed").revision
    };
    for (id, key) in
        [("default_a__configmaps", key("configmaps", "a")), ("_prod__namespaces", key("namespaces", "prod"))]
    {
        let created = world.store.snapshot().get(&key).unwrap().created_revision();
        assert!(listed(id) < created, "{id}: {} {created}", listed(id));
    }
}

#[test]
fn a_pass_that_finds_nothing_new_writes_nothing() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1")), ("b.yaml", &deployment("web", "one"))]);
    world.settle();
    let before = world.store.revision();
    world.pass_time(3600);
    world.settle();
    world.restart();
    world.settle();
    assert_eq!(world.store.revision(), before, "{:?}", world.happened());
}

#[test]
fn only_what_a_commit_changes_is_written() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1")), ("b.yaml", &config_map("b", "1"))]);
    world.settle();
    world.happened();
    world.commit(&[("b.yaml", &config_map("b", "2"))]);
    world.settle();
    assert_eq!(world.happened(), ["update configmaps b"]);
    assert_eq!(world.live("configmaps", "b").unwrap()["data"]["key"], "2");
}

#[test]
fn a_commit_that_changes_other_directories_moves_no_object_and_its_verdict_holds() {
    let mut world = World::new(&[
        ("apps/one.yaml", &application("one", "one", "")),
        ("apps/two.yaml", &application("two", "two", "")),
        ("one/a.yaml", &config_map("a", "1")),
        ("two/b.yaml", &config_map("b", "1")),
    ]);
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "apps".into());
    world.settle();
    assert_eq!(world.condition_of("two", "Ready").split(':').next(), Some("True Healthy"));
    world.happened();
    let key_before = world.status("two").inputs;
    let applied_at = world.status("two").last_applied_time;
    let writes = world.store.history(&Application::kind().key(SYSTEM_NAMESPACE, "two")).len();
    let commit = world.commit(&[("one/a.yaml", &config_map("a", "2"))]);
    world.settle();
    assert_eq!(world.happened(), ["update configmaps a"]);
    assert_eq!((world.status("two").inputs, world.status("two").last_applied_time), (key_before, applied_at));
    assert_eq!(world.status("two").revision.unwrap().healthy, Some(commit));
    let after = world.store.history(&Application::kind().key(SYSTEM_NAMESPACE, "two")).len();
    assert_eq!(after - writes, 1, "one write says that the new commit holds the same");
}

#[test]
fn drift_of_a_managed_field_is_put_right_and_other_fields_are_left_alone() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    world.happened();
    world.edit(&key("configmaps", "a"), |object| object["data"]["key"] = "changed".into());
    world.settle();
    assert_eq!(world.live("configmaps", "a").unwrap()["data"], json!({"key": "1"}));
    world.edit(&key("configmaps", "a"), |object| object["data"]["own"] = "kept".into());
    world.settle();
    assert_eq!(world.live("configmaps", "a").unwrap()["data"], json!({"key": "1", "own": "kept"}));
}

#[test]
fn a_deleted_object_is_made_again() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    world.happened();
    world.delete(&key("configmaps", "a"));
    world.settle();
    assert_eq!(world.happened(), ["delete configmaps a", "create configmaps a"]);
}

#[test]
fn a_suspended_application_stands_still() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    let root = Application::kind().key(SYSTEM_NAMESPACE, ROOT);
    world.edit(&root, |object| object["spec"]["suspend"] = true.into());
    world.settle();
    assert_eq!(world.condition("Ready"), "False Suspended: suspended by `spec.suspend`");
    world.commit(&[("a.yaml", &config_map("a", "2"))]);
    world.happened();
    world.settle();
    assert!(world.happened().is_empty());
    world.edit(&root, |object| object["spec"]["suspend"] = false.into());
    world.settle();
    assert_eq!(world.happened(), ["update configmaps a"]);
}

#[test]
fn an_application_waits_for_those_it_depends_on() {
    let mut world = World::new(&[
        ("apps/a.yaml", &application("web", "web", "  dependsOn:\n  - name: db\n")),
        ("apps/b.yaml", &application("db", "db", "")),
        ("web/a.yaml", &config_map("web", "1")),
        ("db/a.yaml", &deployment("db", "one")),
    ]);
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "apps".into());
    world.fates.insert("db".into(), Fate::Stuck);
    world.settle();
    assert_eq!(world.condition_of("web", "Ready"), "False DependencyNotReady: waits: application `db` is not ready");
    assert!(world.live("configmaps", "web").is_none());
    world.fates.insert("db".into(), Fate::Well);
    world.settle();
    assert!(world.live("configmaps", "web").is_some());
    assert_eq!(world.condition_of("web", "Ready").split(':').next(), Some("True Healthy"));
}

#[test]
fn dependencies_in_a_circle_are_named() {
    let mut world = World::new(&[
        ("apps/a.yaml", &application("one", "x", "  dependsOn:\n  - name: two\n")),
        ("apps/b.yaml", &application("two", "x", "  dependsOn:\n  - name: one\n")),
        ("x/a.yaml", &config_map("x", "1")),
    ]);
    world.edit(&Application::kind().key(SYSTEM_NAMESPACE, ROOT), |root| root["spec"]["path"] = "apps".into());
    world.settle();
    let ready = world.condition_of("one", "Ready");
    assert!(ready.contains("circle (one -> two -> one)"), "{ready}");
}

#[test]
fn a_secret_value_stands_nowhere_but_in_the_secret() {
    let mut world = World::new(&[("a.yaml", &secret("login", "hunter-two"))]);
    world.settle();
    world.commit(&[("a.yaml", &secret("login", "hunter-three").replace("stringData", "stringDate"))]);
    world.settle();
    world.commit(&[(
        "a.yaml",
        &secret("login", "hunter-four").replace("password: hunter-four", "password: [hunter-four]"),
    )]);
    world.settle();
    let told =
        world.everything_about("applications.bowline.dev") + &world.everything_about("gitrepositories.bowline.dev");
    for text in ["hunter", "aHVudGVy"] {
        assert!(!told.contains(text), "{told}");
    }
}
