//! One engine for all tests, and a pod for each that is removed at its end.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::broadcast::Receiver;

use crate::host::engine::*;
use crate::host::sys::at_start;

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

fn instance() -> String {
    format!("test-{}", std::process::id())
}

fn pods_dir() -> PathBuf {
    std::env::temp_dir().join(format!("bowline-{}", instance()))
}

/// Says so and returns true when the test cannot run.
pub(in crate::host) fn unable(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped {test}: it needs root");
    }
    !root
}

/// Ends the zygote and removes the cgroups of this run.
fn clean_up() {
    let _ = fs::remove_dir(pods_dir());
    let zygote = at_start::zygote().pid();
    let pid = nix::unistd::Pid::from_raw(zygote);
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    let _ = nix::sys::wait::waitpid(pid, None);
    if let Ok(layout) = Layout::detect() {
        let _ = instance_group(layout.clone(), &instance()).remove(Duration::from_secs(5));
        for hierarchy in &layout.hierarchies {
            let _ = fs::remove_dir(hierarchy.mount.join("bowline"));
        }
    }
}

/// One engine for all tests: they share the zygote.
pub(super) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine_in(pods_dir()))
}

/// An engine that knows the pods of one directory only; all of them share the zygote and the instance's cgroup.
pub(in crate::host) fn engine_in(pods: PathBuf) -> Engine {
    at_start::at_exit(clean_up);
    Engine::new(at_start::zygote(), EngineDirs { pods }, &instance()).expect("an engine")
}

/// Kills what is left of a pod whose test failed.
pub(in crate::host) fn kill_remains(engine: &Engine, uid: &str, supervisor: Option<u32>) {
    if let Some(pid) = supervisor.and_then(|pid| i32::try_from(pid).ok()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = engine.pod_group(uid).remove(Duration::from_secs(5));
    let _ = fs::remove_dir_all(engine.run_dir(uid));
}

/// Whether the cgroup of a pod exists.
pub(in crate::host) fn has_group(engine: &Engine, uid: &str) -> bool {
    engine.pod_group(uid).exists()
}

/// A pod of its own for one test, removed at the end also when the test fails.
pub(super) struct Fixture {
    pub(super) dir: tempfile::TempDir,
    pub(super) pod: PodHandle,
}

impl Fixture {
    pub(super) async fn new(name: &str) -> Self {
        Self::with(name, |_| {}).await
    }

    pub(super) async fn with(name: &str, change: impl FnOnce(&mut PodSandbox)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        skeleton(&dir.path().join("image"));
        let mut sandbox = PodSandbox::new(name, engine().run_dir(name), dir.path().join("logs"));
        change(&mut sandbox);
        let pod = engine().start_pod(sandbox).await.expect("the pod starts");
        Self { dir, pod }
    }

    pub(super) fn container(&self, name: &str, script: &str) -> ContainerSpec {
        container(&self.dir.path().join("image"), name, script)
    }

    /// Runs a container to its end.
    pub(super) async fn run(&self, spec: ContainerSpec) -> Exit {
        let (name, mut events) = (spec.name.clone(), self.pod.events());
        self.pod.start(ContainerSpec { restart: RestartPolicy::Never, ..spec }).await.expect("the start is answered");
        let state = self.wait(&mut events, &name, |state| matches!(state.phase, ContainerPhase::Exited(_))).await;
        state.last_exit.expect("an exit")
    }

    /// Waits until a container's state is as wanted.
    pub(super) async fn wait(
        &self,
        events: &mut Receiver<PodEvent>,
        name: &str,
        wanted: impl Fn(&ContainerState) -> bool,
    ) -> ContainerState {
        let waiting = async {
            let now = self.pod.status().await.expect("a state");
            if let Some(state) = now.container(name).filter(|state| wanted(state)) {
                return state.clone();
            }
            loop {
                match events.recv().await.expect("an event") {
                    PodEvent::Container(state) if state.name == name && wanted(&state) => return state,
                    PodEvent::Container(_) => {}
                    PodEvent::Lost => panic!("the supervisor ended: {}", self.supervisor_log()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the container comes into the wanted state in time")
    }

    /// Waits until something that sends no event has happened.
    pub(super) async fn until(&self, what: &str, happened: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !happened() {
            assert!(Instant::now() < end, "{what}");
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn supervisor_log(&self) -> String {
        fs::read_to_string(self.pod.sandbox().run_dir.join("supervisor.log")).unwrap_or_default()
    }

    pub(super) fn log(&self, name: &str, attempt: u32) -> String {
        let path = self.dir.path().join("logs").join(name).join(format!("{attempt}.log"));
        fs::read_to_string(path).expect("a log")
    }

    /// The texts of a log, without times.
    pub(super) fn output(&self, name: &str) -> String {
        self.log(name, 0).lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect::<Vec<_>>().join("\n")
    }

    pub(super) async fn exec(&self, container: &str, script: &str) -> (i32, String) {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let stdio = ExecStdio {
            stdin: File::open("/dev/null").expect("a file").into(),
            stdout: writer.try_clone().expect("a copy").into(),
            stderr: writer.into(),
        };
        let exit = self.pod.exec(ExecSpec::new(container, ["sh", "-c", script]), stdio).await.expect("an exit");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("output");
        (exit.code, text)
    }

    /// Removes the pod and checks that nothing of it is left.
    pub(super) async fn end(self) {
        let (uid, supervisor) = (self.pod.sandbox().uid.clone(), self.pod.supervisor_pid());
        let ticks = crate::host::supervisor::records::start_ticks(supervisor).expect("it runs");
        self.pod.remove().await.expect("the pod can be removed");
        let after = crate::host::supervisor::records::start_ticks(supervisor).ok();
        assert_ne!(after, Some(ticks), "the supervisor, which holds the namespaces, is gone");
        assert_eq!(left_of(&uid), Vec::<String>::new(), "left of {uid}");
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("supervisor's log: {}", self.supervisor_log());
            let group = engine().pod_group(&self.pod.sandbox().uid);
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(self.pod.supervisor_pid() as i32),
                nix::sys::signal::Signal::SIGKILL,
            );
            let _ = group.remove(Duration::from_secs(5));
            let _ = fs::remove_dir_all(&self.pod.sandbox().run_dir);
        }
    }
}

/// Lists what still exists of a pod.
pub(super) fn left_of(uid: &str) -> Vec<String> {
    let mut left = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mount table");
    left.extend(mounts.lines().filter(|line| line.contains(uid)).map(|line| format!("mount {line}")));
    let group = engine().pod_group(uid);
    left.extend(group.exists().then(|| format!("cgroup {}", group.path().display())));
    let dir = engine().run_dir(uid);
    left.extend(dir.exists().then(|| format!("directory {}", dir.display())));
    for entry in fs::read_dir("/proc").expect("processes").flatten() {
        let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if groups.contains(&format!("/pod{uid}/")) {
            left.push(format!("process {}", entry.file_name().to_string_lossy()));
        }
    }
    left
}

/// Makes an image layer whose programs are the host's.
pub(super) fn skeleton(dir: &Path) {
    for name in ["usr", "etc", "tmp", "var"] {
        fs::create_dir_all(dir.join(name)).expect("a directory");
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), dir.join(name)).expect("a link");
    }
    fs::write(dir.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:1234:1235::/srv:/bin/sh\n").expect("a file");
    fs::write(dir.join("etc/group"), "root:x:0:\nlog:x:77:web\n").expect("a file");
}

pub(super) fn container(image: &Path, name: &str, script: &str) -> ContainerSpec {
    let rootfs = Rootfs::Overlay { lowers: vec![image.to_owned()], read_only: false };
    let mut spec = ContainerSpec::new(name, rootfs, ["/bin/sh", "-c", script]);
    spec.mounts.push(Mount::bind("/usr", "/usr", true));
    spec
}

pub(super) fn running(state: &ContainerState) -> bool {
    matches!(state.phase, ContainerPhase::Running { .. })
}

/// A script that ends by SIGTERM only if it wants to.
pub(super) const FOREVER: &str = "while :; do sleep 0.1; done";
