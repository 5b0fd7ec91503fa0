use super::super::{REQUESTED_AT, ROOT};
use super::manifests::{config_map, deployment};
use super::world::{Fate, World};

/// Returns a world with a healthy commit, and that commit.
fn healthy() -> (World, String) {
    let mut world = World::new(&[("web.yaml", &deployment("web", "one")), ("other/x.txt", "1")]);
    world.settle();
    world.happened();
    let commit = world.status(ROOT).revision.unwrap().healthy.unwrap();
    (world, commit)
}

fn image(world: &World) -> String {
    let web = world.live("deployments.apps", "web").expect("a deployment");
    web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_commit_that_fails_is_rejected_and_the_last_healthy_one_comes_back() {
    let (mut world, first) = healthy();
    world.fates.insert("bad".into(), Fate::Fails);
    let bad = world.commit(&[("web.yaml", &deployment("web", "two")), ("bad.yaml", &deployment("bad", "x"))]);
    world.settle();
    world.expect(&bad, &first, &first, &bad);
    assert_eq!(image(&world), "one");
    assert_eq!(
        world.happened(),
        [
            "create deployments.apps bad",
            "update deployments.apps web",
            "update deployments.apps web",
            "delete deployments.apps bad"
        ]
        .map(str::to_owned)
    );
    let why = "deployments bad: no progress";
    assert_eq!(world.condition("Stalled"), format!("True Degraded: {why}"));
    assert_eq!(world.condition("Healthy"), "True Healthy: every object is healthy");
    assert_eq!(world.condition("Reconciling"), "False Rejected: ");
    assert_eq!(
        world.condition("Ready"),
        format!("False Rejected: {} was rejected, {} is kept: Degraded: {why}", &bad[..7], &first[..7])
    );
}

#[test]
fn a_commit_that_takes_too_long_is_rejected() {
    let (mut world, first) = healthy();
    world.fates.insert("web".into(), Fate::Stuck);
    let slow = world.commit(&[("web.yaml", &deployment("web", "two"))]);
    world.settle();
    world.expect(&slow, &slow, &first, "");
    assert!(world.condition("Reconciling").starts_with("True Progressing: deployments web: 0 of 2"));
    assert!(world.condition("Healthy").starts_with("False Progressing"));
    world.pass_time(301);
    world.settle();
    world.expect(&slow, &first, &first, &slow);
    assert!(world.condition("Stalled").starts_with("True HealthTimeout: not healthy within 300 s: deployments web:"));
    assert_eq!(image(&world), "one");
}

#[test]
fn a_new_commit_clears_a_rejection() {
    let (mut world, _) = healthy();
    world.fates.insert("bad".into(), Fate::Fails);
    world.commit(&[("bad.yaml", &deployment("bad", "x"))]);
    world.settle();
    let good = world.commit(&[("bad.yaml", ""), ("web.yaml", &deployment("web", "three"))]);
    world.settle();
    world.expect(&good, &good, &good, "");
    assert_eq!(image(&world), "three");
    assert!(world.condition("Stalled").starts_with("False"));
}

#[test]
fn a_revert_to_the_healthy_state_is_healthy_at_once() {
    let (mut world, _) = healthy();
    world.fates.insert("bad".into(), Fate::Fails);
    world.commit(&[("bad.yaml", &deployment("bad", "x"))]);
    world.settle();
    world.happened();
    let revert = world.commit(&[("bad.yaml", "")]);
    world.settle();
    world.expect(&revert, &revert, &revert, "");
    assert!(world.happened().is_empty(), "no object moves");
}

#[test]
fn a_newer_commit_supersedes_one_that_is_on_its_way() {
    let (mut world, _) = healthy();
    world.fates.insert("web".into(), Fate::Stuck);
    world.commit(&[("web.yaml", &deployment("web", "two"))]);
    world.settle();
    let next = world.commit(&[("web.yaml", &deployment("web", "three"))]);
    world.settle();
    assert_eq!(image(&world), "three");
    world.fates.insert("web".into(), Fate::Well);
    world.settle();
    world.expect(&next, &next, &next, "");
}

#[test]
fn a_first_commit_that_fails_stays_and_says_that_there_is_no_way_back() {
    let mut world = World::new(&[("bad.yaml", &deployment("bad", "x"))]);
    world.fates.insert("bad".into(), Fate::Fails);
    world.settle();
    assert!(
        world.condition("Ready").contains("there is no healthy commit to go back to"),
        "{}",
        world.condition("Ready")
    );
    assert!(world.condition("Healthy").starts_with("False Degraded"));
    assert!(world.live("deployments.apps", "bad").is_some());
}

#[test]
fn a_commit_elsewhere_does_not_bring_back_what_was_rejected() {
    let (mut world, first) = healthy();
    let root = bowline_runtime::api::kinds::Application::kind().key(super::super::SYSTEM_NAMESPACE, ROOT);
    world.commit(&[("dir/web.yaml", &deployment("web", "one")), ("web.yaml", "")]);
    world.edit(&root, |root| root["spec"]["path"] = "dir".into());
    world.settle();
    let healthy = world.status(ROOT).revision.unwrap().healthy.unwrap();
    assert_ne!(healthy, first);
    world.fates.insert("bad".into(), Fate::Fails);
    world.commit(&[("dir/bad.yaml", &deployment("bad", "x"))]);
    world.settle();
    world.happened();
    let elsewhere = world.commit(&[("other/x.txt", "2")]);
    world.settle();
    world.expect(&elsewhere, &healthy, &healthy, &elsewhere);
    assert!(world.happened().is_empty());
    world.fates.insert("bad".into(), Fate::Well);
    let again = world.commit(&[]);
    world.settle();
    world.expect(&again, &again, &again, "");
}

#[test]
fn a_person_can_ask_for_another_try() {
    let (mut world, first) = healthy();
    world.fates.insert("bad".into(), Fate::Fails);
    let bad = world.commit(&[("bad.yaml", &deployment("bad", "x"))]);
    world.settle();
    world.expect(&bad, &first, &first, &bad);
    world.fates.insert("bad".into(), Fate::Well);
    world.annotate(ROOT, REQUESTED_AT, "now");
    world.settle();
    world.expect(&bad, &bad, &bad, "");
}

#[test]
fn what_was_healthy_and_breaks_is_not_rejected() {
    let (mut world, first) = healthy();
    world.fates.insert("web".into(), Fate::Fails);
    world.settle();
    world.expect(&first, &first, &first, "");
    assert!(world.condition("Ready").starts_with("False Progressing: deployments web: no progress"));
    let next = world.commit(&[("other/x.txt", "2")]);
    world.settle();
    world.expect(&next, &next, &next, "");
    assert_eq!(world.happened(), Vec::<String>::new());
    assert!(world.condition("Healthy").starts_with("False Degraded"));
}

#[test]
fn every_mistake_of_a_commit_is_told_at_once() {
    let (mut world, first) = healthy();
    let bad = world.commit(&[
        ("a.yaml", &config_map("a", "1").replace("data:\n  key", "date:\n  key")),
        ("b.yaml", &config_map("b", "1").replace("ConfigMap", "Configmap")),
        ("c.yaml", &config_map("A_b", "1")),
    ]);
    world.settle();
    world.expect(&bad, &first, &first, &bad);
    let why = world.condition("Stalled");
    for text in ["True Invalid", "a.yaml:5", "date", "b.yaml:", "did you mean `ConfigMap`", "c.yaml:", "metadata.name"]
    {
        assert!(why.contains(text), "{text}: {why}");
    }
}
