//! Discovery, objects and lists.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::{CONFIGS, DEPLOYMENTS, PODS, Rig, deployment, pod, revision, rig};

#[tokio::test]
async fn every_advertised_resource_lists_and_watches() {
    let rig = rig().await;
    let groups = rig.get("/apis").await.value();
    let versions = groups["groups"].as_array().expect("groups").iter().flat_map(|group| group["versions"].as_array());
    let mut roots: Vec<String> =
        versions.flatten().filter_map(|version| Some(format!("/apis/{}", version["groupVersion"].as_str()?))).collect();
    roots.push("/api/v1".to_owned());
    assert!(roots.contains(&"/apis/apps/v1".to_owned()) && roots.contains(&"/apis/batch/v1".to_owned()), "{roots:?}");
    for root in roots {
        let resources = rig.get(&root).await.expect_code(200).value();
        for row in resources["resources"].as_array().expect("rows") {
            let name = row["name"].as_str().expect("a name");
            if name.contains('/') {
                continue;
            }
            let list = rig.get(&format!("{root}/{name}")).await.expect_code(200).value();
            assert_eq!(list["kind"], format!("{}List", row["kind"].as_str().expect("a kind")));
            assert!(list["items"].is_array(), "{root}/{name}");
            rig.get(&format!("{root}/{name}?watch=true&timeoutSeconds=1&resourceVersion={}", revision(&list)))
                .await
                .expect_code(200);
        }
    }
}

#[tokio::test]
async fn discovery_names_subresources_and_short_names() {
    let rig = rig().await;
    let names = |list: &Value| -> Vec<String> {
        list["resources"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let core = rig.get("/api/v1").await.value();
    for expected in ["pods", "pods/status", "pods/log", "pods/exec", "namespaces/finalize", "configmaps"] {
        assert!(names(&core).contains(&expected.to_owned()), "{expected}");
    }
    let apps = rig.get("/apis/apps/v1").await.value();
    let row = |name: &str| apps["resources"].as_array().expect("rows").iter().find(|row| row["name"] == name).cloned();
    assert_eq!(row("deployments").expect("a row")["shortNames"], json!(["deploy"]));
    let scale = row("deployments/scale").expect("a row");
    assert_eq!(
        (&scale["group"], &scale["version"], &scale["kind"]),
        (&json!("autoscaling"), &json!("v1"), &json!("Scale"))
    );
    assert!(rig.get("/version").await.value()["gitVersion"].as_str().is_some_and(|text| text.starts_with("v1.")));
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(&rig.get(path).await.expect_code(200).body[..], b"ok");
    }
}

#[tokio::test]
async fn what_is_not_there_is_answered_with_a_status() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    let gone = "404 NotFound: the server could not find the requested resource";
    let rows = [
        ("GET", "/api/v1/namespaces/default/configmaps/x", "404 NotFound: configmaps \"x\" not found"),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/x", "404 NotFound: deployments.apps \"x\" not found"),
        ("GET", "/", gone),
        ("GET", "/api/v2", gone),
        ("GET", "/api/v1/bananas", gone),
        ("GET", "/bowline/v1/bananas", gone),
        ("GET", "/api/v1/namespaces/default/configmaps/a/scale", gone),
        ("GET", "/api/v1/namespaces/default/configmaps/a/status", gone),
        ("GET", "/api/v1/namespaces/default/configmaps/a/banana", gone),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps/a",
            "405 MethodNotAllowed: the server does not allow this method on the requested resource",
        ),
        (
            "DELETE",
            "/api/v1/namespaces",
            "405 MethodNotAllowed: the server does not allow this method on the requested resource",
        ),
        (
            "POST",
            "/api/v1/configmaps",
            "405 MethodNotAllowed: the server does not allow this method on the requested resource",
        ),
    ];
    for (method, path, expected) in rows {
        assert_eq!(rig.send(method, path, &[], "").await.told(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn lists_are_chosen_by_labels_fields_and_namespace() {
    let rig = rig().await;
    rig.post("/api/v1/namespaces", &json!({"metadata": {"name": "other"}})).await.expect_code(201);
    rig.config("a", json!({"app": "web"})).await;
    rig.config("b", json!({"app": "db"})).await;
    let value = json!({"metadata": {"name": "c", "labels": {"app": "web"}}});
    rig.post("/api/v1/namespaces/other/configmaps", &value).await.expect_code(201);
    let names = async |path: &str| -> String {
        let list = rig.get(path).await.expect_code(200).value();
        let items = list["items"].as_array().expect("items").iter();
        items.filter_map(|item| item["metadata"]["name"].as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(CONFIGS).await, "a b");
    assert_eq!(names("/api/v1/configmaps").await, "a b c");
    assert_eq!(names("/api/v1/configmaps?labelSelector=app%3Dweb").await, "a c");
    assert_eq!(names("/api/v1/configmaps?labelSelector=app+notin+(web)").await, "b");
    assert_eq!(names("/api/v1/configmaps?fieldSelector=metadata.name%3Db").await, "b");
    assert_eq!(names("/api/v1/configmaps?fieldSelector=metadata.namespace%3Dother").await, "c");
    assert_eq!(
        rig.get("/api/v1/configmaps?fieldSelector=data.a%3D1").await.told(),
        "400 BadRequest: field label not supported: data.a"
    );
}

#[tokio::test]
async fn a_list_has_the_revision_of_the_store() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    let created = rig.post(PODS, &pod("p")).await.expect_code(201).value();
    let list = rig.get(CONFIGS).await.value();
    assert_eq!(revision(&list), revision(&created), "not that of its newest object");
    let ahead = revision(&created) + 1;
    let told = format!("504 Timeout: Too large resource version: {ahead}, current: {}", revision(&created));
    for path in [CONFIGS.to_owned(), format!("{CONFIGS}/a")] {
        assert_eq!(rig.get(&format!("{path}?resourceVersion={ahead}")).await.told(), told);
    }
    rig.get(&format!("{CONFIGS}?resourceVersion=0")).await.expect_code(200);
    assert!(rig.get(&format!("{CONFIGS}?resourceVersion=x")).await.told().starts_with("400 BadRequest"));
}

#[tokio::test]
async fn all_pages_of_a_list_come_from_one_revision() {
    let rig = rig().await;
    for name in ["a", "b", "c", "d", "e"] {
        rig.config(name, json!({})).await;
    }
    let first = rig.get(&format!("{CONFIGS}?limit=2")).await.value();
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), ("a b".to_owned(), &json!(3)));
    rig.send("DELETE", &format!("{CONFIGS}/c"), &[], "").await.expect_code(200);
    rig.config("cc", json!({})).await;
    let second = next_page(&rig, &first).await;
    assert_eq!((names(&second), revision(&second)), ("c d".to_owned(), revision(&first)));
    let third = next_page(&rig, &second).await;
    assert_eq!((names(&third), &third["metadata"]["continue"]), ("e".to_owned(), &Value::Null));
    assert_eq!(
        rig.get(&format!("{CONFIGS}?limit=2&continue=banana")).await.told(),
        "400 BadRequest: continue key is not valid: it was not made by this server"
    );
}

#[tokio::test]
async fn a_page_of_a_forgotten_revision_offers_to_go_on_inconsistently() {
    let rig = rig().await;
    for name in ["a", "b", "c"] {
        rig.config(name, json!({})).await;
    }
    // No list was paged at this revision.
    let token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJkZWZhdWx0L2FcdTAwMDAifQ";
    let answer = rig.get(&format!("{CONFIGS}?limit=1&continue={token}")).await;
    assert!(answer.told().starts_with("410 Expired: The provided continue parameter is too old"), "{}", answer.told());
    assert_eq!(names(&next_page(&rig, &answer.value()).await), "b c");
}

async fn next_page(rig: &Rig, list: &Value) -> Value {
    let token = list.pointer("/metadata/continue").and_then(Value::as_str).expect("there is more");
    rig.get(&format!("{CONFIGS}?limit=2&continue={token}")).await.expect_code(200).value()
}

fn names(list: &Value) -> String {
    let items = list["items"].as_array().expect("items").iter();
    items.filter_map(|item| item["metadata"]["name"].as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_object_comes_in_the_form_that_is_asked_for() {
    let rig = rig().await;
    rig.post(DEPLOYMENTS, &deployment("web")).await.expect_code(201);
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let found = rig.send("GET", DEPLOYMENTS, &table, "").await.expect_code(200).value();
    assert_eq!((&found["kind"], &found["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    let heads = found["columnDefinitions"].as_array().expect("columns");
    assert_eq!((&heads[0]["name"], &heads[0]["format"]), (&json!("Name"), &json!("name")));
    let row = &found["rows"][0];
    assert_eq!(row["cells"].as_array().map(Vec::len), Some(heads.len()));
    assert_eq!((&row["cells"][0], &row["object"]["kind"]), (&json!("web"), &json!("PartialObjectMetadata")));
    let partial = [("accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")];
    let found = rig.send("GET", &format!("{DEPLOYMENTS}/web"), &partial, "").await.expect_code(200).value();
    assert_eq!((&found["kind"], &found["spec"]), (&json!("PartialObjectMetadata"), &Value::Null));
    let told = rig.send("GET", DEPLOYMENTS, &[("accept", "application/cbor")], "").await.told();
    assert_eq!(told, "406 NotAcceptable: only the following media types are accepted: application/json");
    // Refused before it is done.
    let headers = [("accept", "text/html"), ("content-type", "application/json")];
    rig.send("POST", DEPLOYMENTS, &headers, deployment("never").to_string()).await.expect_code(406);
    rig.get(&format!("{DEPLOYMENTS}/never")).await.expect_code(404);
}

#[tokio::test]
async fn schemas_say_what_a_patch_takes() {
    let rig = rig().await;
    let index = rig.get("/openapi/v3").await.expect_code(200).value();
    let place = index.pointer("/paths/apis~1apps~1v1/serverRelativeURL").and_then(Value::as_str).expect("a place");
    let group = rig.get(place).await.expect_code(200).value();
    let patch = &group["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
    assert!(patch["parameters"].as_array().is_some_and(|list| list.iter().any(|one| one["name"] == "fieldValidation")));
    assert_eq!(
        group.pointer("/components/schemas/apps.v1.Deployment/properties/spec/properties/replicas/type"),
        Some(&json!("integer"))
    );
    let old = rig.get("/openapi/v2").await.expect_code(200);
    assert_eq!(
        (old.headers["content-type"].to_str().ok(), old.body.len()),
        (Some("application/com.github.proto-openapi.spec.v2.v1.0+protobuf"), 0)
    );
}

#[tokio::test]
async fn the_command_line_reads_what_is_served() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    assert!(rig.client.is_running().await);
    let list = rig.client.get(CONFIGS).await.expect("a list");
    assert_eq!(names(&list), "a");
    let error = rig.client.get(&format!("{CONFIGS}/x")).await.expect_err("is not there");
    assert_eq!(error.to_string(), "configmaps \"x\" not found");
    tokio::time::timeout(Duration::from_secs(5), rig.client.get("/bowline/v1/changes?timeoutSeconds=1"))
        .await
        .expect("ends by itself")
        .expect("a revision");
}
