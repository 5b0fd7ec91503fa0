use super::manifests::{config_map, deployment, job};
use super::world::{Fate, World, key};

#[test]
fn a_job_with_another_template_is_another_run() {
    let mut world = World::new(&[("job.yaml", &job("migrate", "one", ""))]);
    world.settle();
    world.happened();
    let uid = world.live("jobs.batch", "migrate").unwrap()["metadata"]["uid"].clone();
    let commit = world.commit(&[("job.yaml", &job("migrate", "two", ""))]);
    world.settle();
    assert_eq!(world.happened(), ["delete jobs.batch migrate", "create jobs.batch migrate"]);
    assert_ne!(world.live("jobs.batch", "migrate").unwrap()["metadata"]["uid"], uid);
    world.expect(&commit, &commit, &commit, "");
}

#[test]
fn another_immutable_field_is_refused_with_its_place_and_nothing_is_touched() {
    let mut world = World::new(&[("web.yaml", &deployment("web", "one")), ("a.yaml", &config_map("a", "1"))]);
    world.settle();
    world.happened();
    let changed = deployment("web", "one").replace("app: web", "app: other");
    world.commit(&[("web.yaml", &changed), ("a.yaml", &config_map("a", "2"))]);
    world.settle();
    assert!(world.happened().is_empty());
    let stalled = world.condition("Stalled");
    assert!(stalled.starts_with("True Invalid: web.yaml:1: Deployment `web`: "), "{stalled}");
    assert!(stalled.contains("spec.selector") && stalled.contains("field is immutable"), "{stalled}");
}

#[test]
fn a_failed_job_rejects_its_commit() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    let healthy = world.status("config").revision.unwrap().healthy.unwrap();
    world.fates.insert("migrate".into(), Fate::Fails);
    let commit = world.commit(&[("job.yaml", &job("migrate", "one", ""))]);
    world.settle();
    world.expect(&commit, &healthy, &healthy, &commit);
    let stalled = world.condition("Stalled");
    assert_eq!(stalled, "True Degraded: jobs migrate: BackoffLimitExceeded: it failed");
}

#[test]
fn a_job_that_its_ttl_removed_is_done_and_not_run_again() {
    let mut world = World::new(&[("job.yaml", &job("once", "one", "  ttlSecondsAfterFinished: 0\n"))]);
    world.settle();
    world.happened();
    world.delete(&key("jobs.batch", "once"));
    world.settle();
    assert_eq!(world.happened(), ["delete jobs.batch once"]);
    assert!(world.condition("Ready").starts_with("True Healthy"));
    assert!(world.status("config").inventory[0].finished.is_some(), "the proof outlives the store's history");
    world.restart();
    world.settle();
    assert!(world.happened().is_empty());
    world.commit(&[("job.yaml", &job("once", "two", "  ttlSecondsAfterFinished: 0\n"))]);
    world.settle();
    assert_eq!(world.happened(), ["create jobs.batch once"], "another template is another run");
}
