use super::super::ROOT;
use super::manifests::{config_map, deployment, job, namespace};
use super::world::{Fate, World};

/// Plays one story: a first commit, a bad one, a good one that deletes. Returns what happened to objects and how the
/// Application ended.
fn story(forgetful: bool) -> (Vec<String>, String) {
    let mut world = World::new(&[
        ("ns.yaml", &namespace("prod")),
        ("a.yaml", &config_map("a", "1")),
        ("web.yaml", &deployment("web", "one")),
        ("job.yaml", &job("migrate", "one", "")),
    ]);
    world.happened();
    world.forgetful = forgetful;
    world.settle();
    world.fates.insert("bad".into(), Fate::Fails);
    world.commit(&[("bad.yaml", &deployment("bad", "x")), ("web.yaml", &deployment("web", "two"))]);
    world.settle();
    world.commit(&[
        ("bad.yaml", ""),
        ("a.yaml", ""),
        ("web.yaml", &deployment("web", "three")),
        ("job.yaml", &job("migrate", "two", "")),
    ]);
    world.settle();
    let mut status = world.status(ROOT);
    status.conditions.iter_mut().for_each(|condition| condition.last_transition_time = None);
    (world.happened(), format!("{status:?}"))
}

#[test]
fn a_daemon_that_starts_anew_after_every_pass_does_the_same_and_nothing_twice() {
    let (steady, forgetful) = (story(false), story(true));
    assert_eq!(steady.0, forgetful.0);
    assert_eq!(steady.1, forgetful.1);
}
