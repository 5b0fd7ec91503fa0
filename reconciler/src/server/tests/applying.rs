//! Server-side apply.

use serde_json::{Value, json};

use super::rig::{CONFIGS, DEPLOYMENTS, MERGE, deployment, rig};

const APPLY: &str = "application/apply-patch+yaml";

#[tokio::test]
async fn an_apply_creates_then_owns_then_removes() {
    let rig = rig().await;
    let path = format!("{CONFIGS}/a?fieldManager=one");
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    rig.patch(&path, APPLY, &config(json!({"a": "1", "b": "1"}))).await.expect_code(201);
    let found = rig.patch(&path, APPLY, &config(json!({"a": "1"}))).await.expect_code(200).value();
    assert_eq!(found["data"], json!({"a": "1"}), "what is not stated any more goes");
    let owner = &found["metadata"]["managedFields"][0];
    assert_eq!((&owner["manager"], &owner["operation"]), (&json!("one"), &json!("Apply")));
    assert_eq!(
        rig.patch(&format!("{CONFIGS}/a"), APPLY, &config(json!({}))).await.told(),
        "400 BadRequest: PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
    );
}

#[tokio::test]
async fn a_field_of_another_is_a_conflict_until_forced() {
    let rig = rig().await;
    let path = format!("{DEPLOYMENTS}/web");
    let mut mine = deployment("web");
    mine["spec"]["replicas"] = json!(2);
    rig.patch(&format!("{path}?fieldManager=one"), APPLY, &mine).await.expect_code(201);
    rig.patch(&format!("{path}?fieldManager=hand"), MERGE, &json!({"spec": {"replicas": 5}})).await.expect_code(200);
    let refused = rig.patch(&format!("{path}?fieldManager=one"), APPLY, &mine).await;
    assert_eq!(
        refused.told(),
        "409 Conflict: Apply failed with 1 conflict: conflict with \"hand\" using apps/v1: .spec.replicas"
    );
    assert_eq!(
        refused.value()["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"hand\" using apps/v1", "field": ".spec.replicas"}])
    );
    let forced = rig.patch(&format!("{path}?fieldManager=one&force=true"), APPLY, &mine).await.expect_code(200).value();
    assert_eq!(forced["spec"]["replicas"], 2);
    let labelled = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"a": "b"}}});
    let applied = rig.client.apply(&path, "two", &labelled).await.expect("is applied");
    assert_eq!(applied["metadata"]["labels"]["a"], "b");
}

#[tokio::test]
async fn an_apply_takes_yaml_and_refuses_what_is_unknown_when_strict() {
    let rig = rig().await;
    let send = async |text: &'static str| {
        let path = format!("{CONFIGS}/a?fieldManager=one&fieldValidation=Strict");
        rig.send("PATCH", &path, &[("content-type", APPLY)], text).await
    };
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    assert_eq!(
        send("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '1'}\n").await.told(),
        "201",
        "{head}"
    );
    let told = send("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {}\n").await.told();
    assert_eq!(told, "400 BadRequest: strict decoding error: unknown field \"date\" (did you mean \"data\"?)");
    let told = send("apiVersion: v1\nkind: ConfigMap\nkind: ConfigMap\n").await.told();
    assert!(told.contains("line 3") && told.contains("`kind` is already set"), "{told}");
}

#[tokio::test]
async fn a_client_without_a_manager_is_known_by_its_name() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    let found = rig.get(&format!("{CONFIGS}/a")).await.value();
    let owner = &found["metadata"]["managedFields"][0];
    assert_eq!((&owner["manager"], &owner["operation"]), (&json!("test"), &json!("Update")));
}
