//! Watches.

use std::time::Duration;

use bowline_runtime::api::Timestamp;
use bowline_runtime::store::{Options, Retention};
use serde_json::json;

use super::rig::{CONFIGS, MERGE, revision, rig, rig_with};
use crate::server::limits::Limits;

#[tokio::test]
async fn a_watch_tells_every_change_after_its_revision() {
    let rig = rig().await;
    rig.config("before", json!({})).await;
    let from = revision(&rig.get(CONFIGS).await.value());
    let mut lines = rig.watch(&format!("{CONFIGS}?watch=true&resourceVersion={from}")).await;
    let made = rig.config("a", json!({})).await;
    rig.patch(&format!("{CONFIGS}/a"), MERGE, &json!({"data": {"a": "2"}})).await.expect_code(200);
    rig.send("DELETE", &format!("{CONFIGS}/a"), &[], "").await.expect_code(200);
    let added = lines.next().await.expect("an event");
    assert_eq!((&added["type"], revision(&added["object"])), (&json!("ADDED"), made));
    assert_eq!(lines.told().await, "MODIFIED a");
    let deleted = lines.next().await.expect("an event");
    assert_eq!((&deleted["type"], revision(&deleted["object"])), (&json!("DELETED"), made + 2));
    assert_eq!(deleted["object"]["data"]["a"], "2", "the last state is told");
}

#[tokio::test]
async fn a_watch_without_a_revision_begins_with_what_is_there() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    for path in ["?watch=true", "?watch=true&resourceVersion=0", "?watch=1&resourceVersion="] {
        let mut lines = rig.watch(&format!("{CONFIGS}{path}")).await;
        assert_eq!(lines.told().await, "ADDED a", "{path}");
    }
    let mut lines = rig.watch("/api/v1/watch/namespaces/default/configmaps").await;
    assert_eq!(lines.told().await, "ADDED a");
    rig.config("b", json!({})).await;
    assert_eq!(lines.told().await, "ADDED b");
}

#[tokio::test]
async fn an_object_that_enters_or_leaves_the_selection_is_added_or_deleted() {
    let rig = rig().await;
    let from = rig.config("a", json!({"app": "db"})).await;
    let path = format!("{CONFIGS}?watch=true&labelSelector=app%3Dweb&resourceVersion={from}");
    let mut lines = rig.watch(&path).await;
    let label = async |value: &str| {
        let patch = json!({"metadata": {"labels": {"app": value}}});
        revision(&rig.patch(&format!("{CONFIGS}/a"), MERGE, &patch).await.expect_code(200).value())
    };
    label("web").await;
    assert_eq!(lines.told().await, "ADDED a");
    rig.patch(&format!("{CONFIGS}/a"), MERGE, &json!({"data": {"a": "2"}})).await.expect_code(200);
    assert_eq!(lines.told().await, "MODIFIED a");
    let left = label("db").await;
    let event = lines.next().await.expect("an event");
    assert_eq!((&event["type"], revision(&event["object"])), (&json!("DELETED"), left));
    assert_eq!(event["object"]["metadata"]["labels"]["app"], "web", "as it last was in the selection");
    rig.send("DELETE", &format!("{CONFIGS}/a"), &[], "").await.expect_code(200);
    rig.config("b", json!({"app": "web"})).await;
    assert_eq!(lines.told().await, "ADDED b", "nothing is told of what is outside");
}

#[tokio::test]
async fn one_object_can_be_watched_by_its_path_or_by_a_field() {
    let rig = rig().await;
    let from = rig.config("a", json!({})).await;
    let mut by_path = rig.watch(&format!("{CONFIGS}/b?watch=true&resourceVersion={from}")).await;
    let mut by_field =
        rig.watch(&format!("{CONFIGS}?watch=true&fieldSelector=metadata.name%3Db&resourceVersion={from}")).await;
    rig.patch(&format!("{CONFIGS}/a"), MERGE, &json!({"data": {"a": "2"}})).await.expect_code(200);
    rig.config("b", json!({})).await;
    assert_eq!((by_path.told().await, by_field.told().await), ("ADDED b".to_owned(), "ADDED b".to_owned()));
}

#[tokio::test]
async fn initial_events_end_with_a_marked_bookmark() {
    let rig = rig().await;
    let made = rig.config("a", json!({})).await;
    let path = format!(
        "{CONFIGS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let mut lines = rig.watch(&path).await;
    assert_eq!(lines.told().await, "ADDED a");
    let bookmark = lines.next().await.expect("a bookmark");
    assert_eq!((&bookmark["type"], revision(&bookmark["object"])), (&json!("BOOKMARK"), made));
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    rig.config("b", json!({})).await;
    assert_eq!(lines.told().await, "ADDED b");
    assert_eq!(
        rig.get(&format!("{CONFIGS}?watch=true&sendInitialEvents=true")).await.told(),
        "422 Invalid: ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents \
         requires setting resourceVersionMatch to NotOlderThan"
    );
    assert_eq!(
        rig.get(&format!("{CONFIGS}?sendInitialEvents=true")).await.told(),
        "422 Invalid: ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is \
         forbidden for list"
    );
}

#[tokio::test]
async fn a_watch_ends_at_its_time_with_a_bookmark_if_asked_for() {
    let rig = rig().await;
    let from = rig.config("a", json!({})).await;
    // Changes that the watch does not show move its bookmark all the same.
    rig.post("/api/v1/namespaces", &json!({"metadata": {"name": "other"}})).await.expect_code(201);
    let path = format!("{CONFIGS}?watch=true&resourceVersion={from}&timeoutSeconds=1");
    let mut plain = rig.watch(&path).await;
    let mut marked = rig.watch(&format!("{path}&allowWatchBookmarks=true")).await;
    assert_eq!(plain.told().await, "end");
    assert_eq!(marked.told().await, format!("BOOKMARK {}", from + 1));
    assert_eq!(marked.told().await, "end");
}

#[tokio::test]
async fn a_forgotten_revision_is_expired() {
    let retention = Retention { age_min: Duration::ZERO, revisions_min: 1, revisions_max: 1 };
    let rig = rig_with(Options { retention, ..Options::default() }, Limits::DEFAULT).await;
    let from = rig.config("a", json!({})).await;
    for name in ["b", "c", "d"] {
        rig.config(name, json!({})).await;
    }
    let oldest = rig.objects.store().compact(Timestamp::from_secs(1)).expect("is compacted");
    assert!(oldest > from, "{oldest}");
    let path = format!("{CONFIGS}?watch=true&resourceVersion={from}");
    assert_eq!(rig.get(&path).await.told(), format!("410 Expired: too old resource version: {from} ({oldest})"));
}

#[tokio::test]
async fn a_revision_that_is_not_there_yet_is_refused() {
    let rig = rig().await;
    let current = rig.objects.store().revision();
    let answer = rig.get(&format!("{CONFIGS}?watch=true&resourceVersion={}", current + 5)).await;
    assert_eq!(answer.told(), format!("504 Timeout: Too large resource version: {}, current: {current}", current + 5));
    assert_eq!(answer.value()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn a_watched_table_names_its_columns_once() {
    let rig = rig().await;
    rig.config("a", json!({})).await;
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let answer = rig.send("GET", &format!("{CONFIGS}?watch=true&timeoutSeconds=1"), &table, "").await;
    let first: serde_json::Value = serde_json::from_slice(&answer.body).expect("one line");
    assert_eq!((&first["type"], &first["object"]["kind"]), (&json!("ADDED"), &json!("Table")));
    assert!(first["object"]["columnDefinitions"].is_array());
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
}
