//! The command line against a daemon: what scripts rely on.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use bowline_tests::host::{Host, is_ready, wait_for};
use bowline_tests::manifests::{IDLE, config_map, deployment, pod};

#[test]
fn plan_tells_what_a_change_would_do_by_text_and_exit_code() {
    let Some(mut host) = Host::new() else { return };
    host.commit(&[("config.yaml", &config_map("config", "1")), ("web.yaml", &deployment("web", 1, IDLE))]);
    host.run(&["plan", "."]).expect(1).says(&["no bowline runs", "bowline up"]);
    host.up();
    host.run(&["status", "--wait"]).expect(0);
    host.run(&["plan", ".", "--exit-code"]).expect(0).says(&["no change"]);

    std::fs::write(host.repo().path().join("config.yaml"), config_map("config", "2")).expect("a file");
    std::fs::write(host.repo().path().join("more.yaml"), config_map("more", "1")).expect("a file");
    std::fs::remove_file(host.repo().path().join("web.yaml")).expect("a removal");
    let said = [
        "~ ConfigMap default/config",
        "data[value]: \"1\" -> \"2\"",
        "+ ConfigMap default/more",
        "- Deployment default/web",
        "1 to create",
    ];
    host.run(&["plan", ".", "--exit-code"]).expect(2).says(&said);
    host.run(&["plan", "."]).expect(0).says(&said);
    let plans = host.run(&["plan", ".", "--exit-code", "-o", "json"]).expect(2).json();
    assert_eq!(plans[0]["steps"].as_array().expect("steps").len(), 3, "{plans}");
    host.run(&["plan", ".", "--ref", "HEAD", "--exit-code"]).expect(0);

    std::fs::write(host.repo().path().join("more.yaml"), "a: [\n").expect("a file");
    host.run(&["plan", ".", "--exit-code"]).expect(1).says(&["more.yaml:"]);
    assert_eq!(host.get("/api/v1/namespaces/default/configmaps/config").expect("it")["data"]["value"], "1");
    host.down();
}

#[test]
fn a_plan_never_shows_what_a_secret_holds() {
    let Some(mut host) = Host::new() else { return };
    let secret = |value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{token: {value}}}\n")
    };
    host.commit(&[("secret.yaml", &secret("correct-horse"))]);
    host.up();
    host.run(&["status", "--wait"]).expect(0);
    std::fs::write(host.repo().path().join("secret.yaml"), secret("battery-staple")).expect("a file");
    for format in ["json", "yaml", "wide"] {
        let ran = host.run(&["plan", ".", "--exit-code", "-o", format]).expect(2);
        for hidden in ["correct-horse", "battery-staple", "Y29ycmVjdC1ob3JzZQ", "YmF0dGVyeS1zdGFwbGU"] {
            assert!(!ran.stdout.contains(hidden), "{}", ran.stdout);
        }
    }
    host.down();
}

#[test]
fn objects_are_shown_as_tables_names_and_values() {
    let Some(mut host) = Host::new() else { return };
    host.commit(&[("web.yaml", &deployment("web", 2, IDLE)), ("config.yaml", &config_map("config", "1"))]);
    host.up();
    host.run(&["status", "--wait"]).expect(0).says(&["config", "healthy"]);
    let table = host.run(&["get", "deploy"]).expect(0).stdout;
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]);
    assert_eq!(words[1][..4], ["web", "2/2", "2", "2"]);
    host.run(&["get", "pods", "-A"]).expect(0).says(&["NAMESPACE", "default", "1/1", "Running"]);
    host.run(&["get", "cm", "config", "-o", "name"]).expect(0).says(&["configmap/config"]);
    assert_eq!(host.run(&["get", "configmap", "config", "-o", "json"]).expect(0).json()["data"]["value"], "1");
    host.run(&["get", "cm", "config", "-o", "yaml"]).expect(0).says(&["kind: ConfigMap", "value: "]);
    let list = host.run(&["get", "pods", "-l", "app=web", "-o", "json"]).expect(0).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    let none = host.run(&["get", "pods", "-l", "app=none", "-o", "json"]).expect(0).json();
    assert_eq!(none["items"].as_array().map(Vec::len), Some(0));
    host.run(&["get", "cm", "absent"]).expect(1).says(&["configmaps \"absent\" not found"]);
    host.run(&["get", "nonsense"]).expect(1).says(&["nonsense", "pods"]);
    assert_eq!(host.run(&["status", "-o", "json"]).expect(0).json()["kind"], "List");
    host.down();
}

#[test]
fn logs_are_shown_and_followed_until_the_container_ends() {
    let Some(mut host) = Host::new() else { return };
    let script = "echo one; echo error >&2; while [ ! -e /control/go ]; do sleep 0.05; done; echo two; exit 4";
    host.commit(&[("pod.yaml", &pod("talker", "Never", script))]);
    host.up();
    wait_for("the pod runs", || host.pods("default").iter().any(is_ready).then_some(()));
    wait_for("its first lines are there", || {
        let ran = host.run(&["logs", "talker"]);
        (ran.stdout.contains("one\n") && ran.stdout.contains("error\n")).then_some(())
    });
    let mut follow = host.command(&["logs", "-f", "talker"]).stdout(Stdio::piped()).spawn().expect("bowline runs");
    let mut lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    let mut read: Vec<String> = lines.by_ref().take(2).map(|line| line.expect("text")).collect();
    // Two pipes have no order between them.
    read.sort();
    assert_eq!(read, ["error", "one"]);
    std::fs::write(host.control().join("go"), "").expect("a file");
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(rest, ["two"]);
    assert!(follow.wait().expect("its end").success());
    host.run(&["logs", "talker", "--tail", "1"]).expect(0).says(&["two"]);
    host.run(&["logs", "absent"]).expect(1).says(&["pods \"absent\" not found"]);
    host.down();
}

#[test]
fn a_command_in_a_container_gives_its_own_exit_code() {
    let Some(mut host) = Host::new() else { return };
    host.commit(&[("pod.yaml", &pod("box", "Always", "sleep 1000"))]);
    host.up();
    wait_for("the pod runs", || host.pods("default").iter().any(is_ready).then_some(()));
    let ran = host.run(&["exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]).expect(7);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    host.run(&["exec", "box", "--", "cat", "/proc/1/cmdline"]).expect(0).says(&["sleep"]);
    host.run(&["exec", "box", "-c", "main", "--", "true"]).expect(0);
    host.run(&["exec", "box", "-c", "absent", "--", "true"]).expect(1).says(&["absent"]);
    host.run(&["exec", "absent", "--", "true"]).expect(1).says(&["pods \"absent\" not found"]);
    let ran = host.run(&["exec", "box", "--", "/no/such/program"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("/no/such/program"), "{}", ran.stderr);
    host.down();
}

#[test]
fn a_single_run_leaves_when_healthy_and_the_pods_stay() {
    let Some(mut host) = Host::new() else { return };
    host.commit(&[("web.yaml", &deployment("web", 2, IDLE))]);
    let repository = host.repo().path().to_string_lossy().into_owned();
    host.run(&["up", &repository, "--once", "--timeout", "60"]).expect(0).says(&["healthy"]);
    host.run(&["status"]).expect(1).says(&["no bowline runs"]);
    host.up_with(&[]);
    let running = host.census().of_pods();
    assert!(running.len() >= 2, "the pods of the single run are adopted");

    let commit = host.commit(&[("web.yaml", "nonsense: true\n")]);
    host.run(&["status", "--wait"]).expect(1).says(&["rejected", &commit[..7], "web.yaml:1"]);
    host.kill();
    host.run(&["up", &repository, "--once", "--timeout", "60"]).expect(1).says(&["rejected"]);
    assert_eq!(host.census().of_pods(), running);
    host.run(&["down", "--yes"]).expect(0).says(&["stopped 2 pods"]);
    let left = host.census();
    assert!(left.is_empty(), "left behind:\n{left}");
}

#[test]
fn a_single_run_gives_up_after_its_time() {
    let Some(host) = Host::new() else { return };
    host.commit(&[("web.yaml", &deployment("web", 1, r#"["/no/such/program"]"#))]);
    let repository = host.repo().path().to_string_lossy().into_owned();
    host.run(&["up", &repository, "--once", "--timeout", "3"]).expect(1).says(&["3 s"]);
    host.run(&["up", &repository, "--timeout", "3"]).expect(2).says(&["--once"]);
    host.run(&["down", "--yes"]).expect(0);
}

#[test]
fn two_instances_do_not_see_each_other() {
    let (Some(mut first), Some(mut second)) = (Host::new(), Host::new()) else { return };
    first.commit(&[("web.yaml", &deployment("web", 1, IDLE))]);
    second.commit(&[("web.yaml", &deployment("web", 2, IDLE))]);
    first.up();
    second.up();
    first.run(&["status", "--wait"]).expect(0);
    second.run(&["status", "--wait"]).expect(0);
    assert_eq!((first.pods("default").len(), second.pods("default").len()), (1, 2));
    let running = second.census();
    first.down();
    assert!(first.census().is_empty(), "left behind:\n{}", first.census());
    assert_eq!(second.census().of_pods(), running.of_pods());
    second.down();
}

#[test]
fn a_second_daemon_on_one_state_directory_is_refused() {
    let Some(mut host) = Host::new() else { return };
    host.commit(&[("config.yaml", &config_map("config", "1"))]);
    host.up();
    let repository = host.repo().path().to_string_lossy().into_owned();
    let ran = host.run(&["up", &repository, "--once", "--timeout", "5"]).expect(1);
    assert!(ran.stderr.contains("state"), "{}", ran.stderr);
    assert!(host.is_up());
    host.run(&["status", "--wait"]).expect(0);
    host.down();
}
