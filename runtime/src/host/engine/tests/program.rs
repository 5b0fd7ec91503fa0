//! What a container runs: its program, user, output, and programs that join it.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use super::fixture::{FOREVER, Fixture, engine, unable};
use crate::host::engine::*;

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
