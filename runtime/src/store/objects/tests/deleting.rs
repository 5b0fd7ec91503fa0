use serde_json::{Value, json};

use super::fixtures::*;
use crate::api::Timestamp;
use crate::store::objects::{DeleteOptions, Deleted, Propagation, Removal, prepare_delete};

fn options(grace: Option<i64>) -> DeleteOptions {
    DeleteOptions { grace, ..DeleteOptions::default() }
}

fn time(seconds: i64) -> String {
    Timestamp::from_secs(NOON + seconds).to_string()
}

/// Writes what a deletion does to a pod: `now`, `already`, or `SECONDS after noon, grace G, generation N`.
#[track_caller]
fn check(case: &str, pod: Value, options: &DeleteOptions, expected: &str) {
    let mut old = json!({
        "metadata": { "name": "x", "uid": "u", "resourceVersion": "5", "generation": 1 },
        "spec": { "nodeName": "n", "terminationGracePeriodSeconds": 30 },
    });
    json_patch::merge(&mut old, &pod);
    let found = match prepare_delete(&POD, &old, options, Timestamp::from_secs(NOON)) {
        Err(error) => error.reason.to_owned(),
        Ok(Removal::Now) => "now".to_owned(),
        Ok(Removal::Already) => "already".to_owned(),
        Ok(Removal::Later(new)) => {
            let metadata = &new["metadata"];
            let until: Timestamp = metadata["deletionTimestamp"].as_str().expect("is set").parse().expect("is a time");
            let finalizers = metadata["finalizers"].as_array().cloned().unwrap_or_default();
            let held = if finalizers.is_empty() { String::new() } else { format!(" {}", Value::from(finalizers)) };
            format!(
                "{}s grace {} generation {}{held}",
                until.secs() - NOON,
                metadata["deletionGracePeriodSeconds"],
                metadata["generation"]
            )
        }
    };
    assert_eq!(found, expected, "{case}");
}

#[test]
fn a_pod_gets_its_grace_once_and_never_more() {
    let going = |grace: i64| json!({ "metadata": { "deletionTimestamp": time(grace), "deletionGracePeriodSeconds": grace, "generation": 2 } });
    let with_phase = |phase: &str| json!({ "status": { "phase": phase } });
    check("the pod's own", json!({}), &options(None), "30s grace 30 generation 2");
    check("the caller's", json!({}), &options(Some(7)), "7s grace 7 generation 2");
    check("a negative one", json!({}), &options(Some(-5)), "1s grace 1 generation 2");
    check("none", json!({}), &options(Some(0)), "now");
    check("not scheduled", json!({ "spec": { "nodeName": null } }), &options(None), "now");
    check("succeeded", with_phase("Succeeded"), &options(Some(30)), "now");
    check("failed", with_phase("Failed"), &options(None), "now");
    check("running", with_phase("Running"), &options(None), "30s grace 30 generation 2");
    check("again", going(30), &options(None), "already");
    check("longer", going(30), &options(Some(60)), "already");
    check("shorter", going(30), &options(Some(10)), "10s grace 10 generation 2");
    check("the agent confirms", going(30), &options(Some(0)), "now");
}

#[test]
fn finalizers_hold_and_propagation_adds_them() {
    let held = json!({ "metadata": { "finalizers": ["x.dev/hold"] } });
    let propagate = |propagation| DeleteOptions { propagation: Some(propagation), ..options(Some(0)) };
    check("held", held.clone(), &options(Some(0)), r#"0s grace 0 generation 2 ["x.dev/hold"]"#);
    check(
        "foreground",
        json!({}),
        &propagate(Propagation::Foreground),
        r#"0s grace 0 generation 2 ["foregroundDeletion"]"#,
    );
    check("orphan", held, &propagate(Propagation::Orphan), r#"0s grace 0 generation 2 ["x.dev/hold","orphan"]"#);
    check(
        "background",
        json!({ "metadata": { "finalizers": ["orphan"] } }),
        &propagate(Propagation::Background),
        "now",
    );
    let going = json!({ "metadata": {
        "finalizers": ["x.dev/hold"], "deletionTimestamp": time(0), "deletionGracePeriodSeconds": 0,
    } });
    check("held and going", going, &options(Some(0)), "already");
}

#[test]
fn preconditions_name_the_very_object() {
    let uid = |uid: &str| DeleteOptions { uid: Some(uid.to_owned()), ..options(Some(0)) };
    let version = |version: &str| DeleteOptions { resource_version: Some(version.to_owned()), ..options(Some(0)) };
    check("its uid", json!({}), &uid("u"), "now");
    check("another uid", json!({}), &uid("v"), "Conflict");
    check("its revision", json!({}), &version("5"), "now");
    check("another revision", json!({}), &version("4"), "Conflict");
}

#[test]
fn the_last_finalizer_to_go_takes_the_object_with_it() {
    let rig = rig();
    rig.create(&CONFIG_MAP, json!({ "metadata": { "name": "c", "finalizers": ["x.dev/a", "x.dev/b"] } }))
        .expect("created");
    let deleted = done(rig.objects.delete(&CONFIG_MAP, "a", "c", &DeleteOptions::default())).expect("accepted");
    let Deleted::Going(stored) = deleted else { panic!("finalizers hold it") };
    assert_eq!(stored.value()["metadata"]["deletionTimestamp"], time(0));
    let finalizers = |list: Value| json!({ "metadata": { "finalizers": list } });
    assert_eq!(
        refusal(rig.update(&CONFIG_MAP, "c", finalizers(json!(["x.dev/a", "x.dev/b", "x.dev/c"])))),
        "422 Invalid: ConfigMap \"c\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"x.dev/c\"}"
    );
    rig.advance(5);
    assert!(!rig.update(&CONFIG_MAP, "c", finalizers(json!(["x.dev/b"]))).expect("accepted").deleted);
    let last = rig.update(&CONFIG_MAP, "c", finalizers(json!([]))).expect("accepted");
    assert!(last.deleted);
    assert_eq!(rig.objects.get(&CONFIG_MAP, "a", "c").expect_err("gone").message, "configmaps \"c\" not found");
}

#[test]
fn a_kind_without_grace_goes_at_once() {
    let rig = rig();
    rig.create(&CONFIG_MAP, json!({ "metadata": { "name": "c" } })).expect("created");
    let dry = DeleteOptions { dry_run: true, ..DeleteOptions::default() };
    done(rig.objects.delete(&CONFIG_MAP, "a", "c", &dry)).expect("accepted");
    let deleted = done(rig.objects.delete(&CONFIG_MAP, "a", "c", &options(Some(30)))).expect("accepted");
    assert!(matches!(deleted, Deleted::Gone(_)));
    let again = done(rig.objects.delete(&CONFIG_MAP, "a", "c", &options(None)));
    assert_eq!(refusal(again), "404 NotFound: configmaps \"c\" not found");
}

#[test]
fn a_namespace_terminates_before_it_goes() {
    let rig = rig();
    let delete = || done(rig.objects.delete(&NAMESPACE, "", "a", &DeleteOptions::default())).expect("accepted");
    assert!(matches!(delete(), Deleted::Going(_)));
    assert!(matches!(delete(), Deleted::Going(_)));
    let namespace = rig.objects.get(&NAMESPACE, "", "a").expect("is there");
    assert_eq!(namespace.value()["status"]["phase"], "Terminating");
    assert_eq!(namespace.value()["spec"]["finalizers"], json!(["kubernetes"]));
    let sneaky = json!({ "spec": { "finalizers": [] } });
    let updated = done(rig.objects.update(&NAMESPACE, "", "a", sneaky, &super::fixtures::options())).expect("accepted");
    assert!(!updated.deleted, "an ordinary update does not end the termination");
    let ended = done(rig.objects.finalize(&NAMESPACE, "a", &[], &super::fixtures::options())).expect("accepted");
    assert!(ended.deleted);
    assert_eq!(rig.objects.store().snapshot().len(), 0);
}
