//! Clients that take too much, or too long.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bowline_runtime::store::Options;
use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::rig::{CONFIGS, rig, rig_with, within};
use crate::cli::SOCKET;
use crate::server::limits::Limits;
use crate::server::{BindError, bind};

const SHORT: Duration = Duration::from_millis(200);

async fn raw(socket: &std::path::Path, text: &[u8]) -> UnixStream {
    let mut stream = UnixStream::connect(socket).await.expect("the server listens");
    stream.write_all(text).await.expect("is sent");
    stream
}

async fn rest(mut stream: UnixStream) -> String {
    let mut text = Vec::new();
    match within(stream.read_to_end(&mut text)).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let limits = Limits { body_bytes: 1000, ..Limits::DEFAULT };
    let rig = rig_with(Options::default(), limits).await;
    let body = json!({"metadata": {"name": "a"}, "data": {"a": "x".repeat(1000)}}).to_string();
    let told = rig.send("POST", CONFIGS, &[], Bytes::from(body)).await.told();
    assert_eq!(told, "413 RequestEntityTooLarge: Request entity too large: limit is 1000");
    // In chunks, where no length is told beforehand.
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let head = format!("POST {CONFIGS} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}");
    let answer = rest(raw(&rig.socket(), head.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let rig = rig().await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(100 * 1024));
    let mut stream = UnixStream::connect(rig.socket()).await.expect("the server listens");
    // The server may answer and hang up before it took everything.
    drop(stream.write_all(head.as_bytes()).await);
    let answer = rest(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    rig.get("/healthz").await.expect_code(200);
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_is_given_up() {
    let limits = Limits { head: SHORT, body: SHORT, ..Limits::DEFAULT };
    let rig = rig_with(Options::default(), limits).await;
    let head = raw(&rig.socket(), b"GET /healthz HTTP/1.1\r\nhost:").await;
    assert!(!rest(head).await.contains("200 OK"));
    let body = format!("POST {CONFIGS} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{");
    let answer = rest(raw(&rig.socket(), body.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive within 200ms"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let limits = Limits { connections: 1, stall: SHORT, ..Limits::DEFAULT };
    let rig = rig_with(Options::default(), limits).await;
    let value = json!({"metadata": {"generateName": "a"}, "data": {"a": "x".repeat(900_000)}});
    for _ in 0..4 {
        rig.post(CONFIGS, &value).await.expect_code(201);
    }
    let request = format!("GET {CONFIGS} HTTP/1.1\r\nhost: x\r\n\r\n");
    let lazy = raw(&rig.socket(), request.as_bytes()).await;
    // There is one place, which the lazy client holds until it is given up.
    rig.get("/healthz").await.expect_code(200);
    drop(lazy);
}

#[tokio::test]
async fn a_socket_is_for_its_owner_and_replaces_only_a_dead_one() {
    let rig = rig().await;
    let mode = std::fs::metadata(rig.socket()).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(bind(&rig.socket()), Err(BindError::Served { .. })));
    rig.get("/healthz").await.expect_code(200);
    let dir = tempfile::TempDir::new().expect("a directory");
    let path = dir.path().join(SOCKET);
    drop(bind(&path).expect("is free"));
    assert!(path.exists(), "a daemon that ends leaves its socket");
    let listener = bind(&path).expect("replaces the dead one");
    UnixStream::connect(&path).await.expect("listens");
    drop(listener);
    std::fs::remove_file(&path).expect("is removed");
    std::fs::write(&path, "precious").expect("is written");
    assert!(matches!(bind(&path), Err(BindError::NotASocket { .. })));
    assert_eq!(std::fs::read(&path).expect("is there"), b"precious");
}
