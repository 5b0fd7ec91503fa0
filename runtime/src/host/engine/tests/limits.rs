//! What containers may use, and what the engine itself costs.

use std::fs;
use std::time::{Duration, Instant};

use super::fixture::{Fixture, engine, running, skeleton, unable};
use crate::host::engine::*;

#[tokio::test]
async fn too_much_memory_is_reported_as_oom_killed() {
    if unable("too_much_memory_is_reported_as_oom_killed") {
        return;
    }
    let fixture = Fixture::new("oom").await;
    let mut spec = fixture.container("main", "exec tail /dev/zero");
    spec.limits.memory_bytes = Some(24 << 20);
    let exit = fixture.run(spec).await;
    assert_eq!((exit.code, exit.reason.as_str(), exit.oom), (137, "OOMKilled", true));
    fixture.end().await;
}

#[tokio::test]
async fn a_fork_bomb_is_bounded_and_removed() {
    if unable("a_fork_bomb_is_bounded_and_removed") {
        return;
    }
    let fixture = Fixture::new("bomb").await;
    let mut spec = fixture.container("main", "bomb() { bomb | bomb & }; bomb; while :; do sleep 1; done");
    spec.limits.pids = Some(30);
    spec.limits.memory_bytes = Some(256 << 20);
    fixture.pod.start(spec).await.expect("it runs");
    let mut most = 0;
    let end = Instant::now() + Duration::from_millis(500);
    while Instant::now() < end {
        most = most.max(fixture.pod.usage("main").pids);
        tokio::task::yield_now().await;
    }
    assert!((2..=30).contains(&most), "{most} tasks");
    let usage = fixture.pod.usage("main");
    assert!(usage.memory_bytes > 0 && usage.cpu_nanos > 0, "{usage:?}");
    fixture.end().await;
}

#[tokio::test]
async fn a_limit_that_the_host_refuses_is_told() {
    if unable("a_limit_that_the_host_refuses_is_told") {
        return;
    }
    let fixture = Fixture::with("refused", |sandbox| sandbox.limits.cpu_limit_milli = Some(100)).await;
    let mut spec = fixture.container("main", "true");
    spec.limits.pids = Some(u64::MAX);
    let exit = fixture.run(spec).await;
    assert_eq!((exit.code, exit.reason.as_str()), (128, "StartError"));
    assert!(exit.message.starts_with("cannot write `18446744073709551615` to `/sys/fs/cgroup/"), "{}", exit.message);
    assert!(exit.message.ends_with("main/pids.max`: Numerical result out of range (os error 34)"), "{}", exit.message);
    fixture.end().await;
}

#[tokio::test]
async fn a_pod_starts_fast_and_costs_little() {
    if unable("a_pod_starts_fast_and_costs_little") {
        return;
    }
    let (mut pods, mut times) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let uid = format!("fast-{number}");
        let dir = tempfile::tempdir().expect("a directory");
        skeleton(&dir.path().join("image"));
        let begin = Instant::now();
        let sandbox = PodSandbox::new(&uid, engine().run_dir(&uid), dir.path().join("logs"));
        let pod = engine().start_pod(sandbox).await.expect("the pod starts");
        let fixture = Fixture { dir, pod };
        let sleep =
            |name| ContainerSpec { argv: vec!["/bin/sleep".into(), "600".into()], ..fixture.container(name, "") };
        let (a, b) = tokio::join!(fixture.pod.start(sleep("a")), fixture.pod.start(sleep("b")));
        assert!(running(&a.expect("a state")) && running(&b.expect("a state")));
        times.push(begin.elapsed());
        pods.push(fixture);
    }
    times.sort();
    let mean = |key: &str| {
        let figures = pods.iter().map(|fixture| memory_kb(fixture.pod.supervisor_pid(), key));
        figures.sum::<u64>() / pods.len() as u64
    };
    let (shared, private) = (mean("Pss:"), mean("Private_Dirty:"));
    println!(
        "pod of two containers: fastest {:?}, p50 {:?}, slowest {:?}; supervisor: {shared} kB PSS, {private} kB private",
        times[0], times[10], times[19]
    );
    for fixture in pods {
        fixture.end().await;
    }
    // What it shares with the program depends on how large that is and how many share it: a benchmark's business.
    assert!(private <= 160, "a supervisor has {private} kB of its own");
}

/// Reads one of a process's memory figures in kB.
fn memory_kb(pid: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("memory figures");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
