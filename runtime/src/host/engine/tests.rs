//! The engine on a real host: real namespaces, cgroups and processes, from the host's own `/usr`.
//!
//! Needs root; without it every test says so and passes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::broadcast::Receiver;

use super::*;
use crate::host::sys::at_start;

const PATIENCE: Duration = Duration::from_secs(20);

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
fn engine() -> &'static Engine {
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
struct Fixture {
    dir: tempfile::TempDir,
    pod: PodHandle,
}

impl Fixture {
    async fn new(name: &str) -> Self {
        Self::with(name, |_| {}).await
    }

    async fn with(name: &str, change: impl FnOnce(&mut PodSandbox)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        skeleton(&dir.path().join("image"));
        let mut sandbox = PodSandbox::new(name, engine().run_dir(name), dir.path().join("logs"));
        change(&mut sandbox);
        let pod = engine().start_pod(sandbox).await.expect("the pod starts");
        Self { dir, pod }
    }

    fn container(&self, name: &str, script: &str) -> ContainerSpec {
        container(&self.dir.path().join("image"), name, script)
    }

    /// Runs a container to its end.
    async fn run(&self, spec: ContainerSpec) -> Exit {
        let (name, mut events) = (spec.name.clone(), self.pod.events());
        self.pod.start(ContainerSpec { restart: RestartPolicy::Never, ..spec }).await.expect("the start is answered");
        let state = self.wait(&mut events, &name, |state| matches!(state.phase, ContainerPhase::Exited(_))).await;
        state.last_exit.expect("an exit")
    }

    /// Waits until a container's state is as wanted.
    async fn wait(
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
    async fn until(&self, what: &str, happened: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !happened() {
            assert!(Instant::now() < end, "{what}");
            tokio::task::yield_now().await;
        }
    }

    fn supervisor_log(&self) -> String {
        fs::read_to_string(self.pod.sandbox().run_dir.join("supervisor.log")).unwrap_or_default()
    }

    fn log(&self, name: &str, attempt: u32) -> String {
        let path = self.dir.path().join("logs").join(name).join(format!("{attempt}.log"));
        fs::read_to_string(path).expect("a log")
    }

    /// The texts of a log, without times.
    fn output(&self, name: &str) -> String {
        self.log(name, 0).lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect::<Vec<_>>().join("\n")
    }

    async fn exec(&self, container: &str, script: &str) -> (i32, String) {
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
    async fn end(self) {
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
fn left_of(uid: &str) -> Vec<String> {
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
fn skeleton(dir: &Path) {
    for name in ["usr", "etc", "tmp", "var"] {
        fs::create_dir_all(dir.join(name)).expect("a directory");
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), dir.join(name)).expect("a link");
    }
    fs::write(dir.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:1234:1235::/srv:/bin/sh\n").expect("a file");
    fs::write(dir.join("etc/group"), "root:x:0:\nlog:x:77:web\n").expect("a file");
}

fn container(image: &Path, name: &str, script: &str) -> ContainerSpec {
    let rootfs = Rootfs::Overlay { lowers: vec![image.to_owned()], read_only: false };
    let mut spec = ContainerSpec::new(name, rootfs, ["/bin/sh", "-c", script]);
    spec.mounts.push(Mount::bind("/usr", "/usr", true));
    spec
}

fn running(state: &ContainerState) -> bool {
    matches!(state.phase, ContainerPhase::Running { .. })
}

/// A script that ends by SIGTERM only if it wants to.
const FOREVER: &str = "while :; do sleep 0.1; done";

#[tokio::test]
async fn a_container_runs_and_its_exit_code_is_kept() {
    if unable("a_container_runs_and_its_exit_code_is_kept") {
        return;
    }
    let fixture = Fixture::new("exit-code").await;
    let exit = fixture.run(fixture.container("main", "echo hello; echo oops >&2; exit 3")).await;
    assert_eq!((exit.code, exit.signal, exit.reason.as_str()), (3, 0, "Error"));
    assert!(exit.started <= exit.finished);
    let log = fixture.log("main", 0);
    let shapes: Vec<&str> = log.lines().map(|line| &line[line.find(' ').expect("a time")..]).collect();
    assert!(shapes.contains(&" stdout F hello") && shapes.contains(&" stderr F oops"), "{log}");
    let record: Exit = crate::host::supervisor::records::read(&engine().run_dir("exit-code").join("exit/main.0"))
        .expect("an exit record");
    assert_eq!(record, exit);
    fixture.end().await;
}

#[tokio::test]
async fn a_container_sees_its_own_world_only() {
    if unable("a_container_sees_its_own_world_only") {
        return;
    }
    let fixture = Fixture::with("world", |sandbox| sandbox.hostname = "small-host".into()).await;
    let checks = [
        ("echo $$", "1"),
        ("cat /proc/sys/kernel/hostname", "small-host"),
        ("ls /sys/class/net", "lo"),
        ("cat /sys/class/net/lo/operstate", "unknown"),
        ("pwd; echo $HOME $GREETING", "/work\n/root hello"),
        ("cat /proc/kcore /proc/timer_list /proc/keys 2>/dev/null | wc -c; ls /sys/firmware | wc -l", "0\n0"),
        ("(echo 1 > /proc/sys/kernel/panic) 2>&1 | grep -c 'Read-only'", "1"),
        ("mkdir /sys/x 2>&1 | grep -c 'Read-only'", "1"),
        ("touch /usr/x 2>&1 | grep -c 'Read-only'", "1"),
        ("mknod /tmp/sda b 8 0 && cat /tmp/sda 2>&1 | grep -c 'Permission denied'", "1"),
        ("ls /proc/self/fd | wc -l", "4"),
        ("grep bowline- /proc/self/mountinfo | grep -vc termination", "0"),
        ("cat /proc/1/oom_score_adj; umask", "0\n0022"),
        ("grep CapBnd /proc/self/status | cut -f2", "00000000a80425fb"),
        ("cat /proc/self/cgroup | cut -d: -f3 | grep -v '^/' | wc -l", "0"),
        (
            "ls -A /dev | tr '\n' ' '",
            "fd full mqueue null ptmx pts random shm stderr stdin stdout termination-log tty urandom zero",
        ),
    ];
    let script: Vec<String> = checks.iter().map(|(command, _)| format!("{command} 2>&1; echo --")).collect();
    let mut spec = fixture.container("main", &script.join("\n"));
    spec.env.push(("GREETING".into(), "hello".into()));
    spec.cwd = "/work".into();
    let exit = fixture.run(spec).await;
    assert_eq!(exit.code, 0, "{}", exit.message);
    let output = fixture.output("main");
    let answers: Vec<&str> = output.split("--").map(str::trim).collect();
    for ((command, expected), answer) in checks.iter().zip(answers) {
        assert_eq!(answer, *expected, "{command}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_program_runs_as_the_user_asked_for() {
    if unable("a_program_runs_as_the_user_asked_for") {
        return;
    }
    let fixture = Fixture::new("user").await;
    let mut spec =
        fixture.container("main", "id -u; id -g; id -G; grep CapEff /proc/self/status | cut -f2; echo $HOME");
    spec.user.name = Some("web".into());
    spec.no_new_privileges = true;
    let exit = fixture.run(spec).await;
    assert_eq!(exit.code, 0, "{}", exit.message);
    assert_eq!(fixture.output("main"), "1234\n1235\n1235 77\n0000000000000000\n/srv");
    let mut spec = fixture.container("stranger", "true");
    spec.user.name = Some("nobody-knows".into());
    let exit = fixture.run(spec).await;
    assert_eq!(exit.message, "unable to find user nobody-knows: no matching entries in passwd file");
    fixture.end().await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_a_start_error() {
    if unable("what_cannot_be_executed_is_a_start_error") {
        return;
    }
    let fixture = Fixture::new("start-error").await;
    let cases: [(&str, &[&str], &str); 4] = [
        ("missing", &["nope"], "exec: \"nope\": executable file not found in $PATH"),
        ("absolute", &["/bin/nope"], "exec: \"/bin/nope\": stat /bin/nope: no such file or directory"),
        ("denied", &["/etc/passwd"], "exec: \"/etc/passwd\": permission denied"),
        ("nothing", &[], "no command specified"),
    ];
    for (name, argv, expected) in cases {
        let mut spec = fixture.container(name, "");
        spec.argv = argv.iter().map(|&word| word.to_owned()).collect();
        let exit = fixture.run(spec).await;
        assert_eq!((exit.code, exit.reason.as_str(), exit.message.as_str()), (128, "StartError", expected), "{name}");
    }
    let mut spec = fixture.container("volume", "true");
    spec.mounts.push(Mount::bind("/does/not/exist", "/data", true));
    let exit = fixture.run(spec).await;
    assert_eq!(exit.message, "cannot open `/does/not/exist`: No such file or directory (os error 2)");
    fixture.end().await;
}

#[tokio::test]
async fn links_in_an_image_cannot_redirect_mounts() {
    if unable("links_in_an_image_cannot_redirect_mounts") {
        return;
    }
    let fixture = Fixture::new("links").await;
    let outside = fixture.dir.path().join("outside");
    fs::create_dir(&outside).expect("a directory");
    symlink(&outside, fixture.dir.path().join("image/data")).expect("a link");
    symlink("/etc", fixture.dir.path().join("image/proc")).expect("a link");
    let exit = fixture.run(fixture.container("proc", "true")).await;
    assert!(exit.message.starts_with("cannot mount `/proc`: Too many levels of symbolic links"), "{}", exit.message);
    fs::remove_file(fixture.dir.path().join("image/proc")).expect("the link");
    let mut spec = fixture.container("data", "true");
    spec.mounts.push(Mount::bind("/etc", "/data/deep", true));
    let exit = fixture.run(spec).await;
    assert_eq!(exit.code, 128, "a link that leads nowhere in the image is not followed");
    assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0);
    fixture.end().await;
}

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

#[tokio::test]
async fn a_long_line_is_split_in_the_log() {
    if unable("a_long_line_is_split_in_the_log") {
        return;
    }
    let fixture = Fixture::new("long-line").await;
    let script = "head -c 20000 /dev/zero | tr '\\0' x; echo; echo end; printf unfinished";
    fixture.run(fixture.container("main", script)).await;
    let shapes: Vec<(String, usize)> = fixture
        .log("main", 0)
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.splitn(4, ' ').collect();
            (parts[2].to_owned(), parts[3].len())
        })
        .collect();
    let expected = [("P", 16_384), ("F", 3_616), ("F", 3), ("P", 10)].map(|(flag, length)| (flag.to_owned(), length));
    assert_eq!(shapes, expected);
    fixture.end().await;
}

#[tokio::test]
async fn exec_joins_the_container() {
    if unable("exec_joins_the_container") {
        return;
    }
    let fixture = Fixture::new("exec").await;
    let mut spec = fixture.container("main", &format!("echo inside > /tmp/mark; {FOREVER}"));
    spec.env.push(("GREETING".into(), "hello".into()));
    spec.limits.pids = Some(50);
    fixture.pod.start(spec).await.expect("it runs");
    let (code, output) =
        fixture.exec("main", "until cat /tmp/mark 2>/dev/null; do :; done; echo $GREETING; exit 4").await;
    assert_eq!((code, output.as_str()), (4, "inside\nhello\n"));
    let (_, output) = fixture.exec("main", "readlink /proc/self/ns/pid /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/cgroup; cat /proc/self/cgroup; grep CapBnd /proc/self/status").await;
    let (_, again) = fixture.exec("main", "readlink /proc/1/ns/pid /proc/1/ns/mnt /proc/1/ns/net /proc/1/ns/cgroup; cat /proc/1/cgroup; grep CapBnd /proc/1/status").await;
    assert_eq!(output, again, "same namespaces, cgroups and rights as the container");
    let null = || File::open("/dev/null").expect("a file").into();
    let stdio = || ExecStdio { stdin: null(), stdout: null(), stderr: null() };
    let missing = fixture.pod.exec(ExecSpec::new("main", ["nope"]), stdio()).await.expect("an exit");
    assert_eq!(missing, ExecExit { code: 127, timed_out: false });
    let mut slow = ExecSpec::new("main", ["sleep", "600"]);
    slow.timeout = Some(Duration::from_millis(50));
    let late = fixture.pod.exec(slow, stdio()).await.expect("an exit");
    assert_eq!(late, ExecExit { code: 137, timed_out: true });
    let refused = fixture.pod.exec(ExecSpec::new("other", ["true"]), stdio()).await.expect_err("no such container");
    assert_eq!(refused.to_string(), "pod `exec`: cannot exec in container `other`: it is not running");
    fixture.end().await;
}

#[tokio::test]
async fn programs_can_have_a_terminal() {
    if unable("programs_can_have_a_terminal") {
        return;
    }
    let fixture = Fixture::new("terminal").await;
    let mut spec = fixture.container("main", &format!("tty; {FOREVER}"));
    spec.tty = true;
    fixture.pod.start(spec).await.expect("it runs");
    let terminal = fixture
        .pod
        .exec_terminal(ExecSpec::new("main", ["sh", "-c", "tty; read line; echo got $line; exit 5"]))
        .await
        .expect("a terminal");
    let mut master = File::from(terminal.master.try_clone().expect("a copy"));
    let reading = std::thread::spawn(move || {
        use std::io::Write;
        master.write_all(b"word\n").expect("input");
        let (mut text, mut buffer) = (String::new(), [0; 256]);
        // The end of the program shows as an error of its terminal.
        while let Ok(count) = master.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        text
    });
    assert_eq!(terminal.wait().await.expect("an exit").code, 5);
    let text = reading.join().expect("the thread");
    assert!(text.contains("/dev/pts/1") && text.contains("got word"), "{text}");
    fixture.until("the terminal's output is logged", || fixture.output("main") == "/dev/pts/0").await;
    fixture.end().await;
}

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
async fn containers_of_a_pod_share_volumes_and_processes_as_asked() {
    if unable("containers_of_a_pod_share_volumes_and_processes_as_asked") {
        return;
    }
    let fixture = Fixture::with("shared", |sandbox| {
        sandbox.share_process_namespace = true;
        sandbox.tmpfs.push(TmpfsVolume { name: "cache".into(), size_bytes: Some(1 << 20), mode: 0o1777 });
    })
    .await;
    let with_cache = |name: &str, script: &str, sub_path: Option<String>| {
        let mut spec = fixture.container(name, script);
        let kind = MountKind::PodTmpfs { name: "cache".into(), sub_path };
        spec.mounts.push(Mount { target: "/cache".into(), read_only: false, kind });
        spec
    };
    let writer = format!(
        "echo a > /cache/file; echo b > /dev/shm/file; mkdir -p /cache/sub; echo c > /cache/sub/file; {FOREVER}"
    );
    fixture.pod.start(with_cache("writer", &writer, None)).await.expect("it runs");
    fixture.exec("writer", "until test -s /cache/sub/file; do :; done").await;
    let script = "cat /cache/file /dev/shm/file; cat /proc/1/comm";
    fixture.run(with_cache("reader", script, None)).await;
    assert_eq!(fixture.output("reader"), "a\nb\npause");
    fixture.run(with_cache("below", "cat /cache/file", Some("sub".into()))).await;
    assert_eq!(fixture.output("below"), "c");
    fixture.pod.stop("writer", Duration::ZERO, None).await.expect("a state");
    let group = engine().pod_group("shared").child("writer");
    fixture.until("all of the container is killed with it", || group.processes().is_empty()).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_pod_can_use_the_hosts_network() {
    if unable("a_pod_can_use_the_hosts_network") {
        return;
    }
    let fixture = Fixture::with("host-network", |sandbox| sandbox.host_network = true).await;
    fixture.run(fixture.container("main", "readlink /proc/self/ns/net /proc/self/ns/uts")).await;
    let own = |name| fs::read_link(format!("/proc/self/ns/{name}")).expect("a link").display().to_string();
    assert_eq!(fixture.output("main"), format!("{}\n{}", own("net"), own("uts")));
    fixture.end().await;
}

#[tokio::test]
async fn a_read_only_root_stays_as_it_is() {
    if unable("a_read_only_root_stays_as_it_is") {
        return;
    }
    let fixture = Fixture::new("read-only").await;
    let mut spec = fixture.container("main", "touch /x 2>&1; touch /scratch/y && echo fine");
    let Rootfs::Overlay { read_only, .. } = &mut spec.rootfs else { panic!("an overlay") };
    *read_only = true;
    let kind = MountKind::Tmpfs { size_bytes: Some(1 << 20), mode: 0o755 };
    spec.mounts.push(Mount { target: "/scratch".into(), read_only: false, kind });
    fixture.run(spec).await;
    assert_eq!(fixture.output("main"), "touch: cannot touch '/x': Read-only file system\nfine");
    fixture.end().await;
}

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
        .args(["--exact", "host::engine::tests::a_process_of_its_own", "--nocapture", "--test-threads=1"])
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
    assert!(private <= 128, "a supervisor has {private} kB of its own");
    // Code that is not optimised is several times as long, and its pages are shared by these few processes only.
    let most = if cfg!(debug_assertions) { 400 } else { 250 };
    assert!(shared <= most, "a supervisor costs {shared} kB");
}

/// Reads one of a process's memory figures in kB.
fn memory_kb(pid: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("memory figures");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
