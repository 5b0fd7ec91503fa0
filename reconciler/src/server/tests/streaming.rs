//! Logs and commands.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::rig::{PODS, Rig, pod, rig, within};
use crate::cli::ClientError;

async fn with_pods() -> Rig {
    let rig = rig().await;
    rig.post(PODS, &pod("p")).await.expect_code(201);
    let mut unscheduled = pod("waiting");
    unscheduled["spec"].as_object_mut().expect("a spec").remove("nodeName");
    rig.post(PODS, &unscheduled).await.expect_code(201);
    rig
}

#[tokio::test]
async fn a_log_comes_as_text() {
    let rig = with_pods().await;
    let answer = rig.get(&format!("{PODS}/p/log?tailLines=5")).await.expect_code(200);
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(&answer.body[..], b"default/p/main Some(5) false\nsecond\n");
    assert_eq!(&rig.get(&format!("{PODS}/p/log?limitBytes=9")).await.body[..], b"default/p");
    assert_eq!(&rig.get(&format!("{PODS}/waiting/log")).await.expect_code(200).body[..], b"");
    let rows = [
        ("x/log", "404 NotFound: pods \"x\" not found"),
        ("p/log?container=x", "400 BadRequest: container x is not valid for pod p"),
        ("p/log?previous=true", "400 BadRequest: previous terminated container \"main\" in pod \"p\" not found"),
        (
            "p/log?tailLines=-1",
            "422 Invalid: PodLogOptions \"\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "p/log?sinceTime=x",
            "400 BadRequest: invalid value \"x\" of the query parameter `sinceTime`: use RFC 3339, for example 2026-01-31T12:00:00Z",
        ),
    ];
    for (path, expected) in rows {
        assert_eq!(rig.get(&format!("{PODS}/{path}")).await.told(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_followed_log_is_sent_as_it_comes() {
    use http_body_util::BodyExt as _;
    let rig = with_pods().await;
    let mut body = rig.client.stream(&format!("{PODS}/p/log?follow=true")).await.expect("a stream");
    let mut text = Vec::new();
    while !text.ends_with(b"second\n") {
        let frame = within(body.frame()).await.expect("more").expect("goes on");
        text.extend_from_slice(&frame.into_data().expect("data"));
    }
}

/// Runs a command and returns its output, errors and Status.
async fn exec(rig: &Rig, query: &str, input: &[u8]) -> (String, String, Value) {
    let mut socket = rig.client.upgrade(&format!("{PODS}/p/exec?{query}")).await.expect("an upgrade");
    if !input.is_empty() {
        let mut message = vec![0];
        message.extend_from_slice(input);
        socket.send(Message::Binary(message.into())).await.expect("is sent");
        socket.send(Message::Binary(vec![255, 0].into())).await.expect("is sent");
    }
    let (mut out, mut err, mut status) = (Vec::new(), Vec::new(), Value::Null);
    while let Some(message) = within(socket.next()).await {
        let Message::Binary(data) = message.expect("goes on") else { continue };
        match data.split_first() {
            Some((1, rest)) => out.extend_from_slice(rest),
            Some((2, rest)) => err.extend_from_slice(rest),
            Some((3, rest)) => status = serde_json::from_slice(rest).expect("a Status"),
            other => panic!("a message on no stream: {other:?}"),
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned(), status)
}

#[tokio::test]
async fn a_command_has_its_streams_and_its_exit_code() {
    let rig = with_pods().await;
    let shell = |script: &str| {
        let script: String = form_urlencoded::byte_serialize(script.as_bytes()).collect();
        format!("command=sh&command=-c&command={script}")
    };
    let query = format!("stdout=true&stderr=true&{}", shell("echo out; echo err >&2; exit 7"));
    let (out, err, status) = exec(&rig, &query, b"").await;
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    assert_eq!(
        (&status["reason"], &status["details"]["causes"][0]["message"]),
        (&json!("NonZeroExitCode"), &json!("7"))
    );
    let (out, _, status) = exec(&rig, "stdin=true&stdout=true&command=tr&command=a-z&command=A-Z", b"hello").await;
    assert_eq!(
        (out.as_str(), &status["status"]),
        ("HELLO", &json!("Success")),
        "the end of the input ends the command"
    );
    let many = format!("stdout=true&{}", shell("seq 1 200000"));
    let (out, _, status) = exec(&rig, &many, b"").await;
    assert_eq!(
        (out.lines().count(), &status["status"]),
        (200_000, &json!("Success")),
        "all output comes before the end"
    );
    let left = format!("stdout=true&{}", shell("sleep 30 & echo done"));
    let (out, _, status) = exec(&rig, &left, b"").await;
    assert_eq!(
        (out.as_str(), &status["status"]),
        ("done\n", &json!("Success")),
        "a process left behind is not waited for"
    );
}

#[tokio::test]
async fn what_cannot_run_is_refused_before_the_upgrade() {
    let rig = with_pods().await;
    let rows = [
        ("x/exec?command=ls&stdout=true", 404, "pods \"x\" not found"),
        ("p/exec?stdout=true", 400, "you must specify a command for the container"),
        ("p/exec?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("p/exec?command=ls&stdout=true&container=x", 400, "container x is not valid for pod p"),
        ("waiting/exec?command=ls&stdout=true", 400, "pod waiting does not have a host assigned"),
        (
            "p/exec?command=/no/such&stdout=true",
            500,
            "Internal error occurred: cannot start `/no/such`: No such file or directory (os error 2)",
        ),
    ];
    for (path, code, expected) in rows {
        match rig.client.upgrade(&format!("{PODS}/{path}")).await {
            Err(ClientError::Status { code: found, message, .. }) => {
                assert_eq!((found.as_u16(), message.as_str()), (code, expected), "{path}");
            }
            other => panic!("{path}: {:?}", other.map(|_| "an upgrade")),
        }
    }
    let spdy = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1")];
    let told = rig.send("POST", &format!("{PODS}/p/exec?command=ls&stdout=true"), &spdy, "").await.told();
    assert_eq!(told, "400 BadRequest: exec needs an upgrade to a WebSocket; SPDY is not served");
}
