//! bowline's own endpoints.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use super::rig::rig;

#[tokio::test]
async fn a_change_is_answered_when_it_comes_and_otherwise_at_the_timeout() {
    let rig = rig().await;
    let now = rig.objects.store().revision();
    let answer = rig.get(&format!("/bowline/v1/changes?after={}&timeoutSeconds=600", now - 1)).await;
    assert_eq!(answer.value(), json!({"revision": now}), "at once for what has been");
    let path = format!("/bowline/v1/changes?after={now}&timeoutSeconds=600");
    let (answer, made) = tokio::join!(rig.get(&path), async {
        // The store tells of this only after it was asked, or before: both are right.
        tokio::task::yield_now().await;
        rig.config("a", json!({})).await
    });
    assert_eq!(answer.value(), json!({"revision": made}));
    let begin = Instant::now();
    let answer = rig.get("/bowline/v1/changes?timeoutSeconds=1").await;
    assert_eq!(answer.value(), json!({"revision": made}));
    assert!(begin.elapsed() >= Duration::from_secs(1), "without `after` it waits for something new");
    assert!(rig.get("/bowline/v1/changes?after=-1").await.told().starts_with("400 BadRequest"));
}

#[tokio::test]
async fn the_daemon_is_asked_what_only_it_knows() {
    let rig = rig().await;
    let application =
        json!({"application": "a/b", "targetNamespace": "a", "objects": [{"value": {}, "place": "x.yaml:1"}]});
    let send = async |path: &str, body| rig.client.send(Method::POST, path, &body).await;
    let plans = send("/bowline/v1/plan", json!({"applications": [application]})).await.expect("a plan");
    assert_eq!(plans, json!({"plans": [{"application": "a/b", "objects": 1}]}));
    let images = send("/bowline/v1/images", json!({"path": "/a.tar"})).await.expect("images");
    assert_eq!(images, json!({"images": [{"reference": "/a.tar", "digest": "sha256:0"}]}));
    assert_eq!(send("/bowline/v1/down", json!({})).await.expect("is down"), json!({"pods": 2}));
    let error = send("/bowline/v1/images", json!({"path": "a.tar"})).await.expect_err("is relative");
    assert!(error.to_string().starts_with("`path` must be absolute"), "{error}");
    let error = send("/bowline/v1/plan", json!({"apps": []})).await.expect_err("is malformed");
    assert!(error.to_string().contains("unknown field `apps`"), "{error}");
    assert_eq!(rig.get("/bowline/v1/down").await.code, 405);
}
