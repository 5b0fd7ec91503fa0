//! The daemon killed at any moment: pods go on, nothing is forgotten.

use std::fs;

use bowline_tests::host::{Host, is_ready, wait_for};
use bowline_tests::manifests::pod;
use serde_json::Value;

const WAIT: &str = "while [ ! -e /control/go ]; do sleep 0.05; done";

fn ended(host: &Host, name: &str) -> Option<(i64, String)> {
    let pod = host.get(&format!("/api/v1/namespaces/default/pods/{name}"))?;
    let code = pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"].as_i64()?;
    Some((code, pod["status"]["phase"].as_str()?.to_owned()))
}

fn uid(pods: &[Value], name: &str) -> String {
    let pod = pods.iter().find(|pod| pod["metadata"]["name"] == name).expect("the pod");
    pod["metadata"]["uid"].as_str().expect("a uid").to_owned()
}

#[test]
fn ten_pods_outlive_a_killed_daemon_and_exits_meanwhile_are_reported() {
    let Some(mut host) = Host::new() else { return };
    let idle = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
    let mut manifests: String = (0..7).map(|index| pod(&format!("stays-{index}"), "Always", idle)).collect();
    manifests += &pod("fails", "Never", &format!("{WAIT}; exit 7"));
    manifests += &pod("succeeds", "Never", &format!("{WAIT}; echo done; exit 0"));
    // Ends once when told to; the supervisor starts it again, with nobody to ask.
    let once = format!("if [ -e /control/go ]; then {idle}; fi; {WAIT}; exit 3");
    manifests += &pod("restarts", "Always", &once);
    host.commit(&[("pods.yaml", &manifests)]);
    host.up();
    wait_for("ten pods run", || (host.pods("default").iter().filter(|pod| is_ready(pod)).count() == 10).then_some(()));
    let pods = host.pods("default");
    let before = host.census();
    let stay: Vec<String> = (0..7).map(|index| uid(&pods, &format!("stays-{index}"))).collect();
    let main = |census: &bowline_tests::census::Census, uid: &str| census.of_pod(uid).into_iter().min();

    host.kill();
    assert_eq!(
        stay.iter().map(|uid| main(&host.census(), uid)).collect::<Vec<_>>(),
        stay.iter().map(|uid| main(&before, uid)).collect::<Vec<_>>(),
        "the kill reaches no pod"
    );
    fs::write(host.control().join("go"), "").expect("a file");
    for name in ["fails", "succeeds"] {
        let uid = uid(&pods, name);
        let first = main(&before, &uid).expect("a process");
        wait_for("the pod ends without a daemon", || (!host.census().of_pod(&uid).contains(&first)).then_some(()));
    }
    let restarts = uid(&pods, "restarts");
    let first = main(&before, &restarts);
    wait_for("the supervisor starts the crashed container again", || {
        let now = main(&host.census(), &restarts);
        (now.is_some() && now != first && !host.census().of_pod(&restarts).contains(&first?)).then_some(())
    });

    host.up();
    assert_eq!(wait_for("the failure is reported", || ended(&host, "fails")), (7, "Failed".to_owned()));
    assert_eq!(wait_for("the success is reported", || ended(&host, "succeeds")), (0, "Succeeded".to_owned()));
    host.run(&["logs", "succeeds"]).expect(0).says(&["done"]);
    let restarted = wait_for("the restart is reported", || {
        let pod = host.get("/api/v1/namespaces/default/pods/restarts")?;
        (pod["status"]["containerStatuses"][0]["restartCount"] == 1).then_some(pod)
    });
    let last = &restarted["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["exitCode"], 3, "{restarted}");
    let after = host.census();
    for (index, uid) in stay.iter().enumerate() {
        assert_eq!(main(&after, uid), main(&before, uid), "pid and start time of stays-{index}");
        let pod = host.get(&format!("/api/v1/namespaces/default/pods/stays-{index}")).expect("the pod");
        assert_eq!(pod["metadata"]["uid"], uid.as_str());
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
        assert!(is_ready(&pod));
    }
    host.down();
    let left = host.census();
    assert!(left.is_empty(), "left behind:\n{left}");
}

#[test]
fn a_daemon_killed_again_and_again_while_it_works_still_arrives() {
    let Some(mut host) = Host::new() else { return };
    host.commit(&[("pods.yaml", &pod("first", "Always", "exec sleep 1000"))]);
    host.up();
    let mut manifests = pod("first", "Always", "exec sleep 1000");
    for round in 0..8 {
        manifests += &pod(&format!("pod-{round}"), "Always", "exec sleep 1000");
        host.commit(&[("pods.yaml", &manifests)]);
        // At no particular moment: somewhere between the commit being noticed and the pod being reported.
        host.kill();
        host.up();
    }
    wait_for("all pods run", || (host.pods("default").iter().filter(|pod| is_ready(pod)).count() == 9).then_some(()));
    let pods = host.pods("default");
    assert_eq!(pods.len(), 9);
    let census = host.census();
    for pod in &pods {
        let uid = pod["metadata"]["uid"].as_str().expect("a uid");
        assert_eq!(census.of_pod(uid).len(), 1, "one process for {}:\n{census}", pod["metadata"]["name"]);
    }
    assert_eq!(census.of_pods().len(), 9, "no process of a pod that nobody knows:\n{census}");
    host.down();
    let left = host.census();
    assert!(left.is_empty(), "left behind:\n{left}");
}
