//! Supervisors and daemons that die, and what is found of them afterwards.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::fixture::{FOREVER, Fixture, PATIENCE, container, engine, left_of, skeleton, unable};
use crate::host::engine::*;
use crate::host::sys::at_start;

#[tokio::test]
async fn a_pod_of_a_dead_supervisor_is_lost_and_its_containers_killed() {
    if unable("a_pod_of_a_dead_supervisor_is_lost_and_its_containers_killed") {
        return;
    }
    let fixture = Fixture::new("lost").await;
    let mut events = fixture.pod.events();
    fixture.pod.start(fixture.container("main", FOREVER)).await.expect("it runs");
    fixture.run(fixture.container("done", "exit 9")).await;
    let again = engine().start_pod(fixture.pod.sandbox().clone()).await.expect_err("it runs already");
    assert_eq!(again.to_string(), "cannot start pod `lost`: a pod of that uid is running");
    let supervisor = nix::unistd::Pid::from_raw(fixture.pod.supervisor_pid() as i32);
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).expect("it can be killed");
    while events.recv().await.expect("an event") != PodEvent::Lost {}
    assert!(matches!(fixture.pod.status().await, Err(EngineError::Lost { .. })));
    let group = engine().pod_group("lost");
    assert!(!group.processes().is_empty(), "the container outlives its supervisor");
    let remains = engine().adopt_one("lost").await.expect("it can be looked at").expect("it is there");
    let Adopted::Lost(remains) = remains else { panic!("it is lost") };
    assert!(!group.exists(), "its processes and cgroup are gone");
    let reasons: Vec<String> = remains
        .state
        .containers
        .iter()
        .map(|state| match &state.phase {
            ContainerPhase::Exited(exit) => format!("{} {} {}", state.name, exit.code, exit.reason),
            other => format!("{} {other:?}", state.name),
        })
        .collect();
    assert_eq!(reasons, ["done 9 Error", "main 137 ContainerStatusUnknown"]);
    engine().remove_lost("lost").await.expect("the rest can be removed");
    assert_eq!(left_of("lost"), Vec::<String>::new());
}

/// Runs this test program as a daemon of its own, which does what [`a_process_of_its_own`] says for `role`.
fn spawn_daemon(role: &str, dir: &Path) -> (Daemon, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new("/proc/self/exe")
        .args(["--exact", "host::engine::tests::adoption::a_process_of_its_own", "--nocapture", "--test-threads=1"])
        .env("BOWLINE_TEST_ROLE", role)
        .env("BOWLINE_TEST_DIR", dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("its output"));
    (Daemon(child), lines)
}

/// A process that does not outlive the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What daemons of a test leave is removed at its end, however it ends.
struct Cleaner(tempfile::TempDir);

impl Drop for Cleaner {
    fn drop(&mut self) {
        let (_daemon, mut lines) = spawn_daemon("down", self.0.path());
        hear(&mut lines);
    }
}

/// Reads what the daemon says, up to the line `end`.
fn hear(lines: &mut BufReader<std::process::ChildStdout>) -> Vec<String> {
    let said = lines.lines().map(|line| line.expect("text"));
    let said: Vec<String> = said.take_while(|line| line != "end").collect();
    said.into_iter().filter_map(|line| line.strip_prefix("says ").map(str::to_owned)).collect()
}

/// Not a test by itself: what a daemon process does for the tests of restarts.
#[tokio::test]
async fn a_process_of_its_own() {
    let (Ok(role), Ok(dir)) = (std::env::var("BOWLINE_TEST_ROLE"), std::env::var("BOWLINE_TEST_DIR")) else { return };
    let dir = PathBuf::from(dir);
    println!();
    let dirs = EngineDirs { pods: dir.join("pods") };
    let instance = dir.file_name().expect("a name").to_string_lossy().replace('.', "");
    match role.as_str() {
        "start" => {
            skeleton(&dir.join("image"));
            let engine = Engine::new(at_start::zygote(), dirs, &instance).expect("an engine");
            for number in 0..10 {
                let uid = format!("pod-{number}");
                let sandbox = PodSandbox::new(&uid, engine.run_dir(&uid), dir.join("logs"));
                let pod = engine.start_pod(sandbox).await.expect("a pod");
                let state = pod.start(container(&dir.join("image"), "main", FOREVER)).await.expect("a state");
                let ContainerPhase::Running { pid, .. } = state.phase else { panic!("it runs: {state:?}") };
                println!("says {uid} {pid}");
                let mut ending = container(&dir.join("image"), "ending", "until test -e /tmp/go; do :; done; exit 42");
                ending.mounts.push(Mount::bind(&dir, "/tmp", true));
                ending.restart = RestartPolicy::Never;
                pod.start(ending).await.expect("a state");
                std::mem::forget(pod);
            }
            println!("end");
            std::future::pending::<()>().await;
        }
        "adopt" => {
            let engine = Engine::new(at_start::zygote(), dirs, &instance).expect("an engine");
            for adopted in engine.adopt().await.expect("pods") {
                let Adopted::Alive(pod) = adopted else { panic!("lost: {adopted:?}") };
                let uid = pod.sandbox().uid.clone();
                let state = pod.status().await.expect("a state");
                if let Some(ContainerState { phase: ContainerPhase::Running { pid, .. }, .. }) = state.container("main")
                {
                    println!("says {uid} {pid}");
                }
                if let Some(ContainerPhase::Exited(exit)) = state.container("ending").map(|c| &c.phase) {
                    println!("says {uid} exit {}", exit.code);
                }
            }
            println!("end");
        }
        "down" => {
            let instance = instance.as_str();
            Engine::remove_instance(&dirs, instance).await.expect("it can be removed");
            println!("says exists {}", instance_group(Layout::detect().expect("a layout"), instance).exists());
            println!("says pods {}", fs::read_dir(&dirs.pods).map_or(0, Iterator::count));
            println!("end");
        }
        other => panic!("unknown role {other}"),
    }
}

#[test]
fn pods_survive_the_kill_of_the_daemon_and_are_adopted() {
    if unable("pods_survive_the_kill_of_the_daemon_and_are_adopted") {
        return;
    }
    let dir = Cleaner(tempfile::Builder::new().prefix("bowline-adopt-").tempdir().expect("a directory"));
    let path = dir.0.path();
    let (daemon, mut lines) = spawn_daemon("start", path);
    let started = hear(&mut lines);
    assert_eq!(started.len(), 10, "{started:?}");
    let ticks = |lines: &[String]| -> Vec<Option<u64>> {
        let pid = |line: &String| line.split(' ').nth(1).and_then(|pid| pid.parse().ok()).unwrap_or(0);
        lines.iter().map(|line| crate::host::supervisor::records::start_ticks(pid(line)).ok()).collect()
    };
    let ticks_before = ticks(&started);
    assert!(ticks_before.iter().all(Option::is_some));
    drop(daemon);
    fs::write(path.join("go"), "").expect("a file");
    let exits = (0..10).map(|number| path.join(format!("pods/pod-{number}/exit/ending.0")));
    let end = Instant::now() + PATIENCE;
    for exit in exits {
        while !exit.exists() {
            assert!(Instant::now() < end, "{} is written with nobody listening", exit.display());
            std::thread::yield_now();
        }
    }
    let (daemon, mut lines) = spawn_daemon("adopt", path);
    let adopted = hear(&mut lines);
    drop(daemon);
    let (exits, running): (Vec<String>, Vec<String>) = adopted.into_iter().partition(|line| line.contains("exit"));
    assert_eq!(running, started, "same processes");
    assert_eq!(ticks(&running), ticks_before, "same start times");
    assert_eq!(exits, (0..10).map(|number| format!("pod-{number} exit 42")).collect::<Vec<_>>());
    let (daemon, mut lines) = spawn_daemon("down", path);
    assert_eq!(hear(&mut lines), ["exists false", "pods 0"]);
    drop(daemon);
    assert!(ticks(&started).iter().all(Option::is_none), "no container is left");
}
