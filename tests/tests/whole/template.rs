//! The repository that `bowline init` writes: it is what a user sees first, and it works as it is.

use std::ffi::OsStr;
use std::path::Path;

use bowline_tests::host::{self, Host, is_ready};

#[test]
fn the_template_is_valid_as_committed() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("config");
    host::run([OsStr::new("init"), config.as_os_str()]).expect(0).says(&["bowline up"]);
    let report =
        host::run([OsStr::new("validate"), config.as_os_str(), "-o".as_ref(), "json".as_ref()]).expect(0).json();
    assert_eq!(report["errors"], serde_json::json!([]), "{report}");
    assert_eq!(report["warnings"], serde_json::json!([]), "{report}");
    assert!(report["objects"].as_u64() >= Some(14), "{report}");
    host::run([OsStr::new("init"), config.as_os_str()]).expect(1).says(&["is not empty"]);
    let committed = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../repo-template"));
    host::run([OsStr::new("validate"), committed.as_os_str()]).expect(0).says(&["0 errors"]);
}

#[test]
fn the_template_comes_up_healthy_and_its_first_change_rolls_out() {
    let Some(mut host) = Host::new() else { return };
    let config = host.scratch().join("template");
    host::run([OsStr::new("init"), config.as_os_str()]).expect(0);
    host.up_with(&[config.as_os_str()]);
    host.run(&["status", "--wait"]).expect(0).says(&["staging", "production"]);
    for (namespace, replicas) in [("staging", 1), ("production", 2)] {
        let pods = host.pods(namespace);
        let web = pods.iter().filter(|pod| pod["metadata"]["labels"]["app"] == "web" && is_ready(pod));
        assert_eq!(web.count(), replicas, "{namespace}");
        let job = host.get(&format!("/apis/batch/v1/namespaces/{namespace}/jobs/prepare")).expect("the Job");
        assert_eq!(job["status"]["succeeded"], 1, "{job}");
        host.get(&format!("/apis/batch/v1/namespaces/{namespace}/cronjobs/report")).expect("the CronJob");
    }

    // The first change that the README tells: only staging's pods are replaced.
    let production = host.pods("production");
    let file = config.join("environments/staging/web.yaml");
    let text = std::fs::read_to_string(&file).expect("the manifest");
    assert!(text.contains("value: hello"), "what the README and the demo change is there");
    let config = bowline_tests::git_server::Repo::init(&config).expect("the repository");
    let change = text.replace("value: hello", "value: good morning");
    config.commit(&[("environments/staging/web.yaml", &change)], "staging: another greeting").expect("a commit");
    host.run(&["status", "staging", "--wait"]).expect(0);
    let pods = host.pods("staging");
    let web = pods.iter().find(|pod| pod["metadata"]["labels"]["app"] == "web").expect("a pod");
    let name = web["metadata"]["name"].as_str().expect("a name");
    let ask = "use IO::Socket::INET; my $s = IO::Socket::INET->new('127.0.0.1:8080') or die $!; print $s qq(GET / HTTP/1.0\\r\\n\\r\\n); print <$s>";
    let answer = host.run(&["exec", "-n", "staging", name, "--", "perl", "-e", ask]).expect(0);
    assert!(answer.stdout.ends_with("Hello from staging (good morning)\n"), "{}", answer.stdout);
    assert_eq!(host.pods("production"), production, "production is not touched");

    host.down();
    let left = host.census();
    assert!(left.is_empty(), "left behind:\n{left}");
}
