//! Restarts, backoff and stops.

use std::time::{Duration, Instant};

use super::fixture::{FOREVER, Fixture, unable};
use crate::host::engine::*;

#[tokio::test]
async fn a_failing_container_is_restarted_with_backoff() {
    if unable("a_failing_container_is_restarted_with_backoff") {
        return;
    }
    let fixture = Fixture::new("backoff").await;
    let mut events = fixture.pod.events();
    let started = Instant::now();
    fixture
        .pod
        .start(fixture.container("main", "echo last words > /dev/termination-log; exit 1"))
        .await
        .expect("a state");
    let state = fixture
        .wait(&mut events, "main", |state| {
            matches!(&state.phase, ContainerPhase::Waiting { .. })
                && state.last_exit.as_ref().is_some_and(|exit| exit.attempt == 1)
        })
        .await;
    assert!(started.elapsed() < Duration::from_secs(9), "the first restart is free");
    assert_eq!(state.restart_count, 1);
    let exit = state.last_exit.expect("an exit");
    assert_eq!((exit.code, exit.message.as_str()), (1, "last words\n"), "{exit:?}");
    let ContainerPhase::Waiting { reason, message, until } = state.phase else { panic!("it waits") };
    assert_eq!(reason, "CrashLoopBackOff");
    assert_eq!(message, "back-off 10s restarting failed container=main pod=backoff_default(backoff)");
    let wait = until.expect("a time").duration_since(exit.finished).expect("later");
    assert!((9_900..=10_100).contains(&wait.as_millis()), "{wait:?}");
    let stopped = fixture.pod.stop("main", Duration::from_secs(30), None).await.expect("a state");
    assert!(matches!(stopped.phase, ContainerPhase::Exited(_)), "a stop ends the waiting at once");
    fixture.end().await;
}

#[tokio::test]
async fn a_stop_is_graceful_then_final() {
    if unable("a_stop_is_graceful_then_final") {
        return;
    }
    let fixture = Fixture::new("stop").await;
    let cases = [
        ("polite", "trap 'exit 7' TERM", 30_000, (7, 0)),
        ("deaf", "trap '' TERM", 300, (137, 9)),
        ("no-grace", "trap 'exit 7' TERM", 0, (137, 9)),
    ];
    for (name, trap, grace_ms, expected) in cases {
        let spec = fixture.container(name, &format!("{trap}; echo ready; {FOREVER}"));
        fixture.pod.start(spec).await.expect("it runs");
        fixture.until("it is ready", || fixture.output(name) == "ready").await;
        let state = fixture.pod.stop(name, Duration::from_millis(grace_ms), None).await.expect("a state");
        let ContainerPhase::Exited(exit) = state.phase else { panic!("{name} has ended") };
        assert_eq!((exit.code, exit.signal), expected, "{name}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_second_stop_can_only_shorten_the_grace() {
    if unable("a_second_stop_can_only_shorten_the_grace") {
        return;
    }
    let fixture = Fixture::new("shorten").await;
    for name in ["a", "b"] {
        fixture.pod.start(fixture.container(name, &format!("trap '' TERM; {FOREVER}"))).await.expect("it runs");
    }
    let pod = fixture.pod.clone();
    let first = tokio::spawn(async move { pod.stop_all(Duration::from_secs(600)).await });
    while fixture.pod.status().await.expect("a state").stop_deadline.is_none() {
        tokio::task::yield_now().await;
    }
    let refused = fixture.pod.start(fixture.container("late", "true")).await.expect_err("the pod is being stopped");
    assert_eq!(refused.to_string(), "pod `shorten`: cannot start container `late`: the pod is being stopped");
    let state = fixture.pod.stop_all(Duration::from_millis(100)).await.expect("a state");
    assert!(state.containers.iter().all(|c| matches!(&c.phase, ContainerPhase::Exited(exit) if exit.signal == 9)));
    assert_eq!(first.await.expect("the task").expect("a state").containers, state.containers);
    fixture.end().await;
}
