use serde_json::{Value, json};

use super::fixtures::*;
use crate::store::Store;
use crate::store::objects::prepare::{generate_name, uid};
use crate::store::objects::{Applier, PatchKind, UnknownFields, WriteOptions};

#[test]
fn a_new_object_gets_its_system_fields_and_loses_those_it_made_up() {
    let rig = rig();
    let body = json!({
        "metadata": {
            "name": "web", "uid": "mine", "generation": 9, "creationTimestamp": "1999-01-01T00:00:00Z",
            "resourceVersion": "77", "deletionTimestamp": "1999-01-01T00:00:00Z", "managedFields": [{}],
        },
        "status": { "replicas": 4 },
    });
    let written = rig.create(&DEPLOYMENT, body).expect("created");
    assert_eq!(
        bare(&written),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "a", "generation": 1, "resourceVersion": "2",
                "creationTimestamp": "2026-05-28T20:26:40Z", "uid": "00000000-0000-4000-8000-000000000001",
            },
            "spec": { "replicas": 1 },
        })
    );
    let managers = &written.object.value()["metadata"]["managedFields"];
    assert_eq!((&managers[0]["manager"], &managers[0]["operation"]), (&json!("test"), &json!("Update")));
    assert!(written.created);
    let plain = rig.create(&CONFIG_MAP, json!({ "metadata": { "name": "c" } })).expect("created");
    assert!(plain.object.value()["metadata"].get("generation").is_none(), "a kind without status has no generations");
}

#[test]
fn a_create_is_refused_with_upstreams_words() {
    #[track_caller]
    fn check(case: &str, body: Value, expected: &str) {
        let rig = rig();
        rig.create(&DEPLOYMENT, json!({ "metadata": { "name": "web" } })).expect("created");
        assert_eq!(refusal(rig.create(&DEPLOYMENT, body)), expected, "{case}");
    }
    let named = |more: Value| {
        let mut body = json!({ "metadata": { "name": "new" } });
        json_patch::merge(&mut body, &more);
        body
    };
    check("no object", json!([]), "400 BadRequest: the body of the request must be a JSON object");
    check(
        "no name",
        json!({}),
        "422 Invalid: Deployment.apps \"\" is invalid: metadata.name: Required value: name or generateName is required",
    );
    check(
        "taken",
        named(json!({ "metadata": { "name": "web" } })),
        "409 AlreadyExists: deployments.apps \"web\" already exists",
    );
    check(
        "other kind",
        named(json!({ "kind": "Pod" })),
        "400 BadRequest: the kind in the data (\"Pod\") does not match the expected (Deployment)",
    );
    check(
        "other namespace",
        named(json!({ "metadata": { "namespace": "b" } })),
        "400 BadRequest: the namespace of the provided object does not match the namespace sent on the request: `b` is not `a`",
    );
    check(
        "bad value",
        named(json!({ "spec": { "replicas": -1 } })),
        "422 Invalid: Deployment.apps \"new\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
}

#[test]
fn nothing_is_created_in_a_namespace_that_is_absent_or_going() {
    let rig = rig();
    let body = json!({ "metadata": { "name": "x" } });
    let absent = done(rig.objects.create(&POD, "b", body.clone(), &options()));
    assert_eq!(refusal(absent), "404 NotFound: namespaces \"b\" not found");
    done(rig.objects.delete(&NAMESPACE, "", "a", &Default::default())).expect("begins to go");
    let error = rig.create(&POD, body).expect_err("refused");
    assert_eq!(
        error.to_value(),
        json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "code": 403,
            "reason": "Forbidden",
            "message": "pods \"x\" is forbidden: unable to create new content in namespace a because it is being terminated",
            "details": { "name": "x", "kind": "pods", "causes": [{
                "reason": "NamespaceTerminating", "message": "namespace a is being terminated",
                "field": "metadata.namespace",
            }] },
        })
    );
}

#[test]
fn a_generated_name_has_five_safe_characters_and_gives_way() {
    let rig = rig();
    let first = generate_name("web-", 2);
    rig.create(&POD, json!({ "metadata": { "name": first } })).expect("created");
    let written = rig.create(&POD, json!({ "metadata": { "generateName": "web-" } })).expect("created");
    let name = &written.object.key().name;
    assert!(**name != first && name.starts_with("web-") && name.len() == 9, "{name}");
    assert_eq!(generate_name(&"x".repeat(70), u128::MAX).len(), 63);
    assert_eq!(generate_name(&"ü".repeat(40), 0).chars().count(), 29 + 5, "never cut inside a character");
    assert_eq!(uid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

#[test]
fn generations_count_changes_of_the_desired_state_only() {
    #[track_caller]
    fn check(case: &str, patch: Value, generation: i64, revision: u64) {
        let rig = rig();
        rig.create(&DEPLOYMENT, json!({ "metadata": { "name": "web" }, "spec": { "replicas": 2 } })).expect("created");
        let written = done(rig.objects.patch(&DEPLOYMENT, "a", "web", PatchKind::Merge, &patch, None, &options()));
        let object = written.expect("patched").object;
        assert_eq!(object.value()["metadata"]["generation"], generation, "{case}");
        assert_eq!(object.revision(), revision, "{case}");
    }
    check("nothing", json!({}), 1, 2);
    check("the same", json!({ "spec": { "replicas": 2 } }), 1, 2);
    check("spec", json!({ "spec": { "replicas": 3 } }), 2, 3);
    check("a label", json!({ "metadata": { "labels": { "x": "y" } } }), 1, 3);
    check("an annotation of a Deployment", json!({ "metadata": { "annotations": { "x": "y" } } }), 2, 3);
    check("status by the wrong door", json!({ "status": { "replicas": 3 } }), 1, 2);
    check("made-up system fields", json!({ "metadata": { "generation": 9, "creationTimestamp": null } }), 1, 2);
}

#[test]
fn spec_and_status_are_written_apart() {
    let rig = rig();
    rig.create(&DEPLOYMENT, json!({ "metadata": { "name": "web" } })).expect("created");
    let both =
        json!({ "metadata": { "labels": { "x": "y" } }, "spec": { "replicas": 7 }, "status": { "replicas": 7 } });
    let written = done(rig.objects.update_status(&DEPLOYMENT, "a", "web", both.clone(), &options())).expect("written");
    let value = written.object.value();
    assert_eq!((&value["spec"]["replicas"], &value["status"]["replicas"]), (&json!(1), &json!(7)));
    assert!(value["metadata"].get("labels").is_none());
    assert_eq!(value["metadata"]["generation"], 1);
    rig.update(&DEPLOYMENT, "web", json!({ "spec": { "replicas": 3 }, "status": {} })).expect("written");
    let value = rig.get(&DEPLOYMENT, "web");
    assert_eq!((&value["spec"]["replicas"], &value["status"]["replicas"]), (&json!(3), &json!(7)));
    rig.create(&CONFIG_MAP, json!({ "metadata": { "name": "c" } })).expect("created");
    let none = done(rig.objects.update_status(&CONFIG_MAP, "a", "c", both, &options()));
    assert_eq!(refusal(none), "404 NotFound: the server could not find the requested resource");
}

#[test]
fn an_update_must_speak_of_the_object_as_it_is() {
    #[track_caller]
    fn check(case: &str, metadata: Value, expected: Result<u64, &str>) {
        let rig = rig();
        rig.create(&POD, json!({ "metadata": { "name": "x" } })).expect("created");
        let result = rig.update(&POD, "x", json!({ "metadata": metadata, "spec": { "changed": true } }));
        match expected {
            Ok(revision) => assert_eq!(result.expect("accepted").object.revision(), revision, "{case}"),
            Err(message) => assert_eq!(refusal(result), message, "{case}"),
        }
    }
    check("nothing said", json!({}), Ok(3));
    check("the present revision", json!({ "resourceVersion": "2" }), Ok(3));
    check(
        "an old revision",
        json!({ "resourceVersion": "1" }),
        Err(
            "409 Conflict: Operation cannot be fulfilled on pods \"x\": the object has been modified; please apply your changes to the latest version and try again",
        ),
    );
    check(
        "another uid",
        json!({ "uid": "u" }),
        Err(
            "409 Conflict: Operation cannot be fulfilled on pods \"x\": Precondition failed: UID in precondition: u, UID in object meta: 00000000-0000-4000-8000-000000000001",
        ),
    );
    check(
        "another name",
        json!({ "name": "y" }),
        Err("400 BadRequest: the name of the object (y) does not match the name on the URL (x)"),
    );
    let rig = rig();
    rig.create(&CUSTOM, json!({ "metadata": { "name": "x" } })).expect("created");
    assert_eq!(
        refusal(rig.update(&CUSTOM, "x", json!({}))),
        "422 Invalid: Application.bowline.dev \"x\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
}

#[test]
fn unknown_fields_are_never_stored() {
    let rig = rig();
    let body = json!({ "metadata": { "name": "x" }, "speck": { "a": 1 } });
    let write = |unknown| {
        done(rig.objects.create(&POD, "a", body.clone(), &WriteOptions { unknown, dry_run: true, ..options() }))
    };
    assert_eq!(
        refusal(write(UnknownFields::Strict)),
        "400 BadRequest: strict decoding error: unknown field \"speck\" (did you mean \"spec\"?)"
    );
    let warned = write(UnknownFields::Warn).expect("accepted");
    assert_eq!(warned.warnings, ["unknown field \"speck\" (did you mean \"spec\"?)"]);
    assert!(warned.object.value().get("speck").is_none());
    assert!(write(UnknownFields::Ignore).expect("accepted").warnings.is_empty());
    assert_eq!(rig.objects.store().revision(), 1, "a dry run stores nothing");
}

#[test]
fn patches_of_each_format_change_what_they_say() {
    #[track_caller]
    fn check(case: &str, kind: PatchKind, body: Value, expected: &str) {
        let rig = rig();
        rig.create(&POD, json!({ "metadata": { "name": "x" }, "spec": { "a": 1 } })).expect("created");
        let result = done(rig.objects.patch(&POD, "a", "x", kind, &body, None, &options()));
        let found = match result {
            Ok(written) => written.object.value()["spec"].to_string(),
            Err(error) => format!("{} {}", error.code, error.reason),
        };
        assert_eq!(found, expected, "{case}");
    }
    check("merge", PatchKind::Merge, json!({ "spec": { "a": null, "b": 2 } }), r#"{"b":2}"#);
    check("merge of a list", PatchKind::Merge, json!([]), "400 BadRequest");
    check("strategic", PatchKind::Strategic, json!({ "spec": { "b": 2 } }), r#"{"a":1,"b":2}"#);
    check("json", PatchKind::Json, json!([{ "op": "add", "path": "/spec/b", "value": 2 }]), r#"{"a":1,"b":2}"#);
    check("failed test", PatchKind::Json, json!([{ "op": "test", "path": "/spec/a", "value": 2 }]), "422 Invalid");
    check("no patch", PatchKind::Json, json!({ "op": "test" }), "400 BadRequest");
    check("stale", PatchKind::Merge, json!({ "metadata": { "resourceVersion": "1" } }), "409 Conflict");
    check("metadata removed", PatchKind::Json, json!([{ "op": "remove", "path": "/metadata" }]), r#"{"a":1}"#);
    check(
        "everything replaced",
        PatchKind::Json,
        json!([{ "op": "replace", "path": "", "value": [] }]),
        "400 BadRequest",
    );
}

#[test]
fn an_apply_creates_changes_and_conflicts() {
    let rig = rig();
    let apply = |manager: &'static str, force: bool, replicas: i64| {
        let config = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": replicas } });
        let applier = Applier { manager, force };
        done(rig.objects.apply(&DEPLOYMENT, "a", "web", config, applier, None, &options()))
    };
    let first = apply("one", false, 2).expect("created");
    assert!(first.created);
    assert_eq!(first.object.revision(), 2);
    let again = apply("one", false, 2).expect("accepted");
    assert_eq!((again.created, again.object.revision()), (false, 2), "the same again is no change");
    let error = apply("two", false, 3).expect_err("the field has an owner");
    assert_eq!((error.code, error.reason), (409, "Conflict"));
    assert_eq!(
        (error.details.causes[0].reason, &*error.details.causes[0].field),
        ("FieldManagerConflict", ".spec.replicas")
    );
    let forced = apply("two", true, 3).expect("taken");
    assert_eq!(forced.object.value()["spec"]["replicas"], 3);
    assert_eq!(forced.object.value()["metadata"]["generation"], 2);
    assert_eq!(apply("", false, 3).expect_err("no manager").code, 400);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "uids of its own for each object")]
fn writers_that_meet_start_over_and_both_are_done() {
    let place = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(&place.path().join("store.db"), crate::store::Options::default()).expect("opens");
    let objects = crate::store::objects::Objects::new(
        store,
        crate::api::Kinds::default(),
        std::sync::Arc::new(|| crate::api::Timestamp::EPOCH),
        std::sync::Arc::new(rand::random::<u128>),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        objects.create(&NAMESPACE, "", json!({ "metadata": { "name": "a" } }), &options()).await.expect("created");
        objects.create(&POD, "a", json!({ "metadata": { "name": "x" } }), &options()).await.expect("created");
        let writers = ["one", "two", "three"].map(|field| {
            let objects = objects.clone();
            let body = json!({ "spec": { field: 1 } });
            tokio::spawn(async move {
                objects.patch(&POD, "a", "x", PatchKind::Merge, &body, None, &options()).await.map(drop)
            })
        });
        for writer in writers {
            writer.await.expect("no panic").expect("patched");
        }
    });
    let spec = objects.get(&POD, "a", "x").expect("is there").value()["spec"].clone();
    assert_eq!(spec, json!({ "one": 1, "two": 1, "three": 1 }));
}
