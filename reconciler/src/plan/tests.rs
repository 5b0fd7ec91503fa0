//! Plans over a store in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use bowline_runtime::api::{Kinds, Timestamp, kinds};
use bowline_runtime::store::{Store, Txn};
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

fn resolved(objects: &[Value], kinds: &Kinds) -> Resolved {
    let mut resolved = Resolved::default();
    for (line, value) in objects.iter().enumerate() {
        let (kind, key, config) = check_one(value, kinds, "default").expect("a valid object");
        resolved.objects.push(Arc::new(Desired::new(kind, key, &config, format!("all.yaml:{}", line + 1))));
    }
    resolved
}

/// Plans `after` on a store where `before` was applied, and returns the text for people.
fn text(before: &[Value], after: &[Value]) -> String {
    let (store, kinds) = (Store::memory(), kinds::builtin());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}});
    let mut owner = Owner {
        id: "bowline-system/config".to_owned(),
        inventory: Arc::default(),
        prune: true,
        budget: None,
        confirmed: None,
    };
    let entropy = || 7;
    for objects in [&[namespace][..], before] {
        let snapshot = store.snapshot();
        let facts = Facts { snapshot: &snapshot, kinds: &kinds, now: NOW, entropy: &entropy };
        let plan = plan(&owner, "", &resolved(objects, &kinds), &facts, &|_, _| false);
        assert_eq!(plan.problems, Vec::<String>::new());
        let ops: Vec<_> = plan.steps.into_iter().flat_map(|step| step.ops).collect();
        store.commit(Txn::from(ops)).expect("the plan is carried out");
    }
    let keys: BTreeSet<_> = resolved(before, &kinds).objects.iter().map(|desired| desired.key.clone()).collect();
    owner.inventory = Arc::new(keys);
    let snapshot = store.snapshot();
    let facts = Facts { snapshot: &snapshot, kinds: &kinds, now: NOW, entropy: &entropy };
    human(&plan(&owner, "c0ffee", &resolved(after, &kinds), &facts, &|_, _| false))
}

fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

#[test]
fn a_plan_lists_fields_and_ends_with_a_summary() {
    let (a, b, c) = (config_map("a", "1"), config_map("b", "1"), config_map("c", "1"));
    assert_eq!(
        text(&[a.clone(), b.clone()], &[config_map("a", "2"), c]),
        "~ ConfigMap default/a  all.yaml:1\n    data[key]: \"1\" -> \"2\"\n+ ConfigMap default/c  all.yaml:2\n\
         - ConfigMap default/b\nbowline-system/config: 1 to create, 1 to change, 1 to delete\n"
    );
    assert_eq!(text(&[a.clone(), b.clone()], &[a, b]), "bowline-system/config: no change, 2 objects are as declared\n");
}

#[test]
fn a_secret_value_is_in_no_plan() {
    let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": value}});
    for (before, after) in [
        (vec![], vec![secret("hunter-one")]),
        (vec![secret("hunter-one")], vec![secret("hunter-two")]),
        (vec![secret("hunter-one")], vec![]),
    ] {
        let text = text(&before, &after);
        assert!(!text.contains("hunter") && !text.contains("aHVudGVy"), "{text}");
    }
}

#[test]
fn namespaces_that_everything_stands_on_are_never_deleted() {
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let rest = [config_map("a", "1"), config_map("b", "1"), config_map("c", "1")];
    let before = [rest.as_slice(), &[namespace("default"), namespace("other")]].concat();
    let text = text(&before, &rest);
    assert!(text.contains("- Namespace other") && !text.contains("- Namespace default"), "{text}");
}
