//! A thousand pods on this host: whether the last starts as fast as the first, what they cost, and what it costs to
//! have them.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::daemon::Daemon;
use super::pods::{HOST_IMAGE, PODS, pod, remove, running, start};
use super::{Bench, memory};

const GROUP: &str = "1,000 pods";
/// How long one pod of many may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the idle daemon is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// After how many pods the idle daemon is looked at: the promise is about a hundred.
const IDLE_PODS: usize = 100;

/// Measures pods of one container that start one after the other, the daemon that has them, and as many at once.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let dir = bench.dir("density")?;
    let repository = super::pods::empty_repository(&dir)?;
    let daemon = Daemon::start(&bench.binary, &dir.join("state"), &repository, &dir.join("log"))?;
    daemon.bowline(&["status", "--wait", "--timeout", "60"]).output()?;
    let count = bench.samples(1000);
    let names: Vec<String> = (0..count).map(|index| format!("dense-{index}")).collect();
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    let all = Instant::now();
    let mut paused = Duration::ZERO;
    let step = count / 10;
    for (index, part) in names.chunks(step).enumerate() {
        let mut times = Vec::new();
        for name in part {
            let started = Instant::now();
            start(&daemon, &mut watch, name, HOST_IMAGE, 1)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let what = format!("start of pods {} to {}, one after the other", index * step + 1, index * step + part.len());
        bench.report.ours(GROUP, what, "ms", times, None);
        if (index + 1) * step == IDLE_PODS {
            let begun = Instant::now();
            idle(bench, &daemon)?;
            paused += begun.elapsed();
        }
    }
    let took = (all.elapsed() - paused).as_secs_f64();
    bench.report.ours(GROUP, format!("{count} pods running, one after the other"), "s", vec![took], None);
    memory::daemon(&mut bench.report, &daemon, &format!("{count} pods"), None)?;
    memory::supervisors(&mut bench.report, &daemon, count, Some("250 kB"))?;
    let gone = Instant::now();
    names.iter().try_for_each(|name| remove(&daemon, &mut watch, name))?;
    bench.report.ours(
        GROUP,
        format!("{count} pods gone, one after the other"),
        "s",
        vec![gone.elapsed().as_secs_f64()],
        None,
    );
    at_once(bench, &daemon, count)
}

/// What the daemon holds and uses while nothing changes.
fn idle(bench: &mut Bench, daemon: &Daemon) -> Result<()> {
    let when = format!("idle with {IDLE_PODS} pods");
    memory::daemon(&mut bench.report, daemon, &when, Some("30 MB"))?;
    let before = memory::processor_seconds(daemon.pid())?;
    std::thread::sleep(LOOK);
    let used = (memory::processor_seconds(daemon.pid())? - before) / LOOK.as_secs_f64() * 100.0;
    bench.report.ours("processor", format!("daemon, {when}, of one core"), "%", vec![used], Some("1 %"));
    Ok(())
}

/// Creates all pods without waiting, then waits until all run, and until all are gone.
fn at_once(bench: &mut Bench, daemon: &Daemon, count: usize) -> Result<()> {
    let mut watch = daemon.watch(PODS, PATIENCE)?;
    let started = Instant::now();
    for index in 0..count {
        let manifest = pod(&format!("burst-{index}"), HOST_IMAGE, 1).to_string();
        daemon.call("POST", PODS, "application/json", &manifest)?;
    }
    let mut up = std::collections::BTreeSet::new();
    while up.len() < count {
        let (_, object) = watch.next()?;
        if running(&object, 1) {
            up.insert(object["metadata"]["name"].as_str().unwrap_or_default().to_owned());
        }
    }
    let took = started.elapsed().as_secs_f64();
    bench.report.ours(GROUP, format!("{count} pods running, created at once"), "s", vec![took], None);
    let started = Instant::now();
    for index in 0..count {
        let path = format!("{PODS}/burst-{index}");
        daemon.call("DELETE", &path, "application/json", "")?;
    }
    while !up.is_empty() {
        let (kind, object) = watch.next()?;
        if kind == "DELETED" {
            up.remove(object["metadata"]["name"].as_str().unwrap_or_default());
        }
    }
    let took = started.elapsed().as_secs_f64();
    bench.report.ours(GROUP, format!("{count} pods gone, deleted at once"), "s", vec![took], None);
    Ok(())
}
