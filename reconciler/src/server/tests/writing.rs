//! Creating, replacing, patching, deleting.

use serde_json::{Value, json};

use super::rig::{CONFIGS, DEPLOYMENTS, MERGE, PODS, deployment, pod, revision, rig};

const JSON: (&str, &str) = ("content-type", "application/json");
const STRATEGIC: &str = "application/strategic-merge-patch+json";

#[tokio::test]
async fn an_object_lives_from_its_creation_to_its_deletion() {
    let rig = rig().await;
    let created = rig.post(DEPLOYMENTS, &deployment("web")).await.expect_code(201).value();
    assert_eq!((&created["spec"]["replicas"], &created["metadata"]["generation"]), (&json!(1), &json!(1)));
    let path = format!("{DEPLOYMENTS}/web");
    let mut changed = created.clone();
    changed["spec"]["replicas"] = json!(3);
    let updated = rig.send("PUT", &path, &[JSON], changed.to_string()).await.expect_code(200).value();
    assert_eq!((&updated["spec"]["replicas"], &updated["metadata"]["generation"]), (&json!(3), &json!(2)));
    let stale = rig.send("PUT", &path, &[JSON], changed.to_string()).await;
    assert_eq!(
        stale.told(),
        "409 Conflict: Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please \
         apply your changes to the latest version and try again"
    );
    let status = json!({"status": {"replicas": 3}, "spec": {"replicas": 9}});
    let patched = rig.patch(&format!("{path}/status"), MERGE, &status).await.expect_code(200).value();
    assert_eq!((&patched["spec"]["replicas"], &patched["status"]["replicas"]), (&json!(3), &json!(3)));
    assert_eq!(rig.get(&format!("{path}/status")).await.value()["status"]["replicas"], 3);
    let gone = rig.send("DELETE", &path, &[], "").await.expect_code(200).value();
    assert_eq!((&gone["kind"], &gone["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!(gone["details"]["uid"], created["metadata"]["uid"]);
    rig.get(&path).await.expect_code(404);
}

#[tokio::test]
async fn patches_of_every_format_change_what_they_name() {
    let rig = rig().await;
    rig.post(DEPLOYMENTS, &deployment("web")).await.expect_code(201);
    let path = format!("{DEPLOYMENTS}/web");
    let image = |value: &Value| value.pointer("/spec/template/spec/containers/0/image").cloned();
    let strategic = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}});
    let found = rig.patch(&path, STRATEGIC, &strategic).await.expect_code(200).value();
    assert_eq!(image(&found), Some(json!("web:2")));
    let operations = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:3"}]);
    let found = rig.patch(&path, "application/json-patch+json", &operations).await.expect_code(200).value();
    assert_eq!(image(&found), Some(json!("web:3")));
    let found = rig.patch(&path, MERGE, &json!({"spec": {"replicas": 0}})).await.expect_code(200).value();
    assert_eq!(found["spec"]["replicas"], 0);
    let same = rig.patch(&path, MERGE, &json!({"spec": {"replicas": 0}})).await.expect_code(200).value();
    assert_eq!(revision(&same), revision(&found), "a patch that changes nothing makes no revision");
    assert_eq!(
        rig.patch(&path, "text/plain", &json!({})).await.told(),
        "415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types include: \
         application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
         application/apply-patch+yaml"
    );
    assert_eq!(
        rig.patch(&format!("{path}?force=true"), MERGE, &json!({})).await.told(),
        "422 Invalid: PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
    );
    let test = json!([{"op": "test", "path": "/spec/replicas", "value": 7}]);
    rig.patch(&path, "application/json-patch+json", &test).await.expect_code(422);
    rig.patch(&format!("{DEPLOYMENTS}/x"), MERGE, &json!({})).await.expect_code(404);
}

#[tokio::test]
async fn a_name_can_be_made_by_the_server() {
    let rig = rig().await;
    let value = json!({"metadata": {"generateName": "job-"}});
    let first = rig.post(CONFIGS, &value).await.expect_code(201).value();
    let second = rig.post(CONFIGS, &value).await.expect_code(201).value();
    let name = |value: &Value| value["metadata"]["name"].as_str().expect("a name").to_owned();
    assert!(name(&first).starts_with("job-") && name(&first).len() == 9, "{}", name(&first));
    assert_ne!(name(&first), name(&second));
}

#[tokio::test]
async fn a_dry_run_answers_and_stores_nothing() {
    let rig = rig().await;
    let before = rig.objects.store().revision();
    let made = rig.post(&format!("{DEPLOYMENTS}?dryRun=All"), &deployment("web")).await.expect_code(201).value();
    assert_eq!(made["spec"]["replicas"], 1, "defaults are set");
    assert_eq!(rig.objects.store().revision(), before);
    rig.config("a", json!({})).await;
    let before = rig.objects.store().revision();
    rig.patch(&format!("{CONFIGS}/a?dryRun=All"), MERGE, &json!({"data": {"a": "2"}})).await.expect_code(200);
    rig.send("DELETE", &format!("{CONFIGS}/a?dryRun=All"), &[], "").await.expect_code(200);
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}).to_string();
    rig.send("DELETE", &format!("{CONFIGS}/a"), &[JSON], body).await.expect_code(200);
    assert_eq!(rig.objects.store().revision(), before);
    assert_eq!(
        rig.post(&format!("{CONFIGS}?dryRun=Some"), &json!({})).await.told(),
        "422 Invalid: CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported values: \"All\""
    );
}

#[tokio::test]
async fn unknown_and_duplicate_fields_are_told_as_asked() {
    let rig = rig().await;
    let body = r#"{"metadata": {"name": "NAME"}, "data": {"a": "1", "a": "2"}, "date": {}}"#;
    let create = async |name: &str, query: &str| {
        rig.send("POST", &format!("{CONFIGS}{query}"), &[JSON], body.replace("NAME", name)).await
    };
    assert_eq!(
        create("a", "?fieldValidation=Strict").await.told(),
        "400 BadRequest: strict decoding error: unknown field \"date\" (did you mean \"data\"?), duplicate field \"data.a\""
    );
    let warned = create("b", "").await.expect_code(201);
    let expected = [
        "299 - \"duplicate field \\\"data.a\\\"\"",
        "299 - \"unknown field \\\"date\\\" (did you mean \\\"data\\\"?)\"",
    ];
    assert_eq!(warned.warnings(), expected);
    assert_eq!(warned.value()["data"]["a"], "2", "the last one counts");
    assert!(create("c", "?fieldValidation=Ignore").await.expect_code(201).warnings().is_empty());
    assert_eq!(
        create("d", "?fieldValidation=Some").await.told(),
        "422 Invalid: CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Some\": \
         supported values: \"Ignore\", \"Strict\", \"Warn\""
    );
}

#[tokio::test]
async fn a_field_without_effect_is_warned_of() {
    let rig = rig().await;
    let mut value = pod("p");
    value["spec"]["schedulerName"] = json!("mine");
    value["spec"]["priorityClassName"] = json!("high");
    let warnings = rig.post(PODS, &value).await.expect_code(201).warnings();
    assert!(warnings.iter().any(|text| text.contains("stored, not enforced")), "{warnings:?}");
}

#[tokio::test]
async fn mistakes_are_worded_as_kubernetes_words_them() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    let mut negative = deployment("web");
    negative["spec"]["replicas"] = json!(-1);
    let rows = [
        (
            "exists",
            CONFIGS,
            json!({"metadata": {"name": "a"}}).to_string(),
            "409 AlreadyExists: configmaps \"a\" already exists",
        ),
        (
            "another kind",
            CONFIGS,
            json!({"kind": "Secret"}).to_string(),
            "400 BadRequest: the kind in the data (\"Secret\") does not match the expected (ConfigMap)",
        ),
        (
            "another namespace",
            CONFIGS,
            json!({"metadata": {"name": "b", "namespace": "x"}}).to_string(),
            "400 BadRequest: the namespace of the provided object does not match the namespace sent on the request: `x` is not `default`",
        ),
        (
            "no namespace",
            "/api/v1/namespaces/x/configmaps",
            json!({"metadata": {"name": "b"}}).to_string(),
            "404 NotFound: namespaces \"x\" not found",
        ),
        (
            "a value",
            DEPLOYMENTS,
            negative.to_string(),
            "422 Invalid: Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "no JSON",
            CONFIGS,
            "{".to_owned(),
            "400 BadRequest: the body of the request is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("no object", CONFIGS, "[]".to_owned(), "400 BadRequest: the body of the request must be a JSON object"),
        (
            "nothing",
            CONFIGS,
            String::new(),
            "400 BadRequest: the body of the request is not valid JSON: EOF while parsing a value at line 1 column 0",
        ),
    ];
    for (case, path, body, expected) in rows {
        assert_eq!(rig.send("POST", path, &[JSON], body).await.told(), expected, "{case}");
    }
    let protobuf = [("content-type", "application/vnd.kubernetes.protobuf")];
    assert_eq!(
        rig.send("POST", CONFIGS, &protobuf, "k8s\0").await.told(),
        "415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types include: \
         application/json, application/yaml"
    );
    let renamed = json!({"metadata": {"name": "b"}}).to_string();
    assert_eq!(
        rig.send("PUT", &format!("{CONFIGS}/a"), &[JSON], renamed).await.told(),
        "400 BadRequest: the name of the object (b) does not match the name on the URL (a)"
    );
}

#[tokio::test]
async fn yaml_means_what_it_means_in_a_file() {
    let rig = rig().await;
    let yaml = [("content-type", "application/yaml")];
    let text = "metadata:\n  name: a\ndata:\n  mode: \"0644\"\nimmutable: yes\n";
    let found = rig.send("POST", CONFIGS, &yaml, text).await.expect_code(201).value();
    assert_eq!((&found["data"]["mode"], &found["immutable"]), (&json!("0644"), &json!(true)));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let told = rig.send("POST", CONFIGS, &yaml, bomb).await.told();
    assert!(told.starts_with("400 BadRequest: the body of the request is not valid YAML: line "), "{told}");
}

#[tokio::test]
async fn nulls_in_a_body_are_fields_that_are_not_there() {
    let rig = rig().await;
    let mut value = deployment("web");
    value["metadata"]["creationTimestamp"] = Value::Null;
    value["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    value["status"] = json!({});
    rig.post(&format!("{DEPLOYMENTS}?fieldValidation=Strict"), &value).await.expect_code(201);
}

#[tokio::test]
async fn a_deletion_heeds_its_options() {
    let rig = rig().await;
    let made = rig.post(PODS, &pod("p")).await.expect_code(201).value();
    let path = format!("{PODS}/p");
    let other = json!({"preconditions": {"uid": "x"}}).to_string();
    let uid = made["metadata"]["uid"].as_str().expect("a uid");
    assert_eq!(
        rig.send("DELETE", &path, &[JSON], other).await.told(),
        format!(
            "409 Conflict: Operation cannot be fulfilled on pods \"p\": Precondition failed: UID in precondition: x, UID in object meta: {uid}"
        )
    );
    let going = rig.send("DELETE", &format!("{path}?gracePeriodSeconds=7"), &[], "").await.expect_code(200).value();
    assert_eq!((&going["kind"], &going["metadata"]["deletionGracePeriodSeconds"]), (&json!("Pod"), &json!(7)));
    let now = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "propagationPolicy": "Background"});
    let gone = rig.send("DELETE", &path, &[JSON], now.to_string()).await.expect_code(200).value();
    assert_eq!(gone["kind"], "Pod");
    rig.get(&path).await.expect_code(404);
    let rows = [
        (
            "?propagationPolicy=Some",
            "422 Invalid: DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Some\": supported values: \"Foreground\", \"Background\", \"Orphan\"",
        ),
        (
            "?gracePeriodSeconds=x",
            "400 BadRequest: invalid value \"x\" of the query parameter `gracePeriodSeconds`: invalid digit found in string",
        ),
    ];
    for (query, expected) in rows {
        assert_eq!(rig.send("DELETE", &format!("{path}{query}"), &[], "").await.told(), expected);
    }
    let wrong = json!({"kind": "Pod"}).to_string();
    let told = rig.send("DELETE", &path, &[JSON], wrong).await.told();
    assert_eq!(told, "400 BadRequest: the body of the request is no DeleteOptions: its kind is `Pod`");
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let rig = rig().await;
    rig.config("a", json!({"app": "web"})).await;
    rig.config("b", json!({"app": "db"})).await;
    let gone =
        rig.send("DELETE", &format!("{CONFIGS}?labelSelector=app%3Dweb"), &[], "").await.expect_code(200).value();
    assert_eq!((&gone["kind"], gone["items"].as_array().map(Vec::len)), (&json!("ConfigMapList"), Some(1)));
    rig.get(&format!("{CONFIGS}/a")).await.expect_code(404);
    rig.get(&format!("{CONFIGS}/b")).await.expect_code(200);
}

#[tokio::test]
async fn a_workload_is_scaled_by_its_subresource() {
    let rig = rig().await;
    rig.post(DEPLOYMENTS, &deployment("web")).await.expect_code(201);
    let path = format!("{DEPLOYMENTS}/web/scale");
    let found = rig.get(&path).await.expect_code(200).value();
    assert_eq!((&found["kind"], &found["status"]["selector"]), (&json!("Scale"), &json!("app=web")));
    let found = rig.patch(&path, MERGE, &json!({"spec": {"replicas": 4}})).await.expect_code(200).value();
    assert_eq!((&found["kind"], &found["spec"]["replicas"]), (&json!("Scale"), &json!(4)));
    let mut put = found.clone();
    put["spec"]["replicas"] = json!(2);
    rig.send("PUT", &path, &[JSON], put.to_string()).await.expect_code(200);
    rig.send("PUT", &path, &[JSON], put.to_string()).await.expect_code(409);
    assert_eq!(rig.get(&format!("{DEPLOYMENTS}/web")).await.value()["spec"]["replicas"], 2);
    let told = rig.patch(&path, MERGE, &json!({"spec": {"replicas": -1}})).await.told();
    assert_eq!(
        told,
        "422 Invalid: Scale.autoscaling \"\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
}

#[tokio::test]
async fn a_namespace_goes_when_it_is_finalized() {
    let rig = rig().await;
    let path = "/api/v1/namespaces/default";
    let going = rig.send("DELETE", path, &[], "").await.expect_code(200).value();
    assert_eq!(going["status"]["phase"], "Terminating");
    let told = rig.post(CONFIGS, &json!({"metadata": {"name": "a"}})).await;
    assert!(
        told.told().starts_with("403 Forbidden: configmaps \"a\" is forbidden: unable to create new content"),
        "{}",
        told.told()
    );
    assert_eq!(told.value()["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let mut last = going.clone();
    last["spec"]["finalizers"] = json!([]);
    rig.send("PUT", &format!("{path}/finalize"), &[JSON], last.to_string()).await.expect_code(200);
    rig.get(path).await.expect_code(404);
}
