use bowline_runtime::api::kinds::GitRepository;

use super::super::{ROOT, SYSTEM_NAMESPACE};
use super::manifests::config_map;
use super::world::World;

fn repository(world: &World) -> (Option<String>, String) {
    let found = world.store.snapshot().typed_get::<GitRepository>(SYSTEM_NAMESPACE, ROOT).expect("a repository");
    let status = found.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("a condition");
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    (status.revision, format!("{} {}: {}", ready.status, text(&ready.reason), text(&ready.message)))
}

#[test]
fn an_unreachable_source_keeps_what_was_applied_and_says_how_old_it_is() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    let (revision, _) = repository(&world);
    let away = world.repository_path().with_extension("away");
    std::fs::rename(world.repository_path(), &away).unwrap();
    world.pass_time(60);
    world.happened();
    world.settle();
    let (kept, message) = repository(&world);
    assert_eq!(kept, revision);
    assert!(
        message.starts_with("False FetchFailed: ") && message.contains(", last read at 2026-01-01T00:00:01Z)"),
        "{message}"
    );
    assert!(world.condition("Ready").starts_with("True Healthy"));
    let before = world.store.revision();
    world.pass_time(60);
    world.settle();
    assert_eq!(world.store.revision(), before, "the same trouble is told once");
    world.restart();
    world.settle();
    assert!(world.happened().is_empty(), "nothing is touched");
    std::fs::rename(&away, world.repository_path()).unwrap();
    world.commit(&[("a.yaml", &config_map("a", "2"))]);
    world.settle();
    assert_eq!(world.happened(), ["update configmaps a"]);
    assert!(repository(&world).1.starts_with("True Fetched"));
}

#[test]
fn a_branch_that_vanishes_prunes_nothing() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.settle();
    world.happened();
    let name = world.repository.head().unwrap().name().unwrap().to_owned();
    world.repository.find_reference(&name).unwrap().delete().unwrap();
    world.settle();
    assert!(world.happened().is_empty());
    assert!(repository(&world).1.starts_with("False FetchFailed"), "{}", repository(&world).1);
    assert!(world.condition("Ready").starts_with("True Healthy"));
}

#[test]
fn a_rewritten_history_is_noted_and_deletes_nothing_by_itself() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1")), ("b.yaml", &config_map("b", "1"))]);
    world.settle();
    let first = world.repository.head().unwrap().target().unwrap();
    let second = world.commit(&[("c.yaml", &config_map("c", "1"))]);
    world.settle();
    world.happened();
    let object = world.repository.find_object(first, None).unwrap();
    world.repository.reset(&object, git2::ResetType::Hard, None).unwrap();
    drop(object);
    world.settle();
    let (_, message) = repository(&world);
    assert!(
        message.contains(&format!("history was rewritten: {} is not among its ancestors", &second[..7])),
        "{message}"
    );
    assert!(world.happened().is_empty());
    let held = world.status(ROOT).held.expect("it is held");
    assert_eq!(
        (held.reason.as_deref(), held.deletions),
        (Some("HistoryRewritten"), vec!["ConfigMap default/c".to_owned()])
    );
    world.annotate(ROOT, crate::plan::CONFIRM, &first.to_string());
    world.settle();
    assert_eq!(world.happened(), ["delete configmaps c"]);
}

#[test]
fn a_source_that_does_not_exist_is_named() {
    let mut world = World::new(&[("a.yaml", &config_map("a", "1"))]);
    world.delete(&GitRepository::kind().key(SYSTEM_NAMESPACE, ROOT));
    world.settle();
    assert_eq!(
        world.condition("Ready"),
        "False SourceNotReady: the source cannot be read: there is no GitRepository `config`"
    );
}
