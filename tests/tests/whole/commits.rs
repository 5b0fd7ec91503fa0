//! A commit becomes pods, the next one changes them, a removed file removes them.

use std::collections::BTreeMap;

use bowline_tests::census;
use bowline_tests::host::{Host, is_ready, wait_for};
use bowline_tests::manifests::{IDLE, application, config_map, deployment, namespace};
use serde_json::Value;

const REPLICAS: u32 = 4;
/// `replicas - maxUnavailable`.
const AVAILABLE_MIN: usize = 3;

fn other_idle(version: u32) -> String {
    IDLE.replace("sleep 1 while", &format!("my $v = {version}; sleep 1 while"))
}

fn start() -> Option<Host> {
    let mut host = Host::new()?;
    host.commit(&[
        (".bowlineignore", "apps/\n"),
        ("applications.yaml", &application("shop", "15s")),
        ("apps/shop/namespace.yaml", &namespace("shop")),
        ("apps/shop/config.yaml", &config_map("config", "1")),
        ("apps/shop/extra.yaml", &deployment("extra", 1, IDLE)),
        ("apps/shop/web.yaml", &deployment("web", REPLICAS, &other_idle(1))),
    ]);
    host.up();
    host.run(&["status", "--wait"]).expect(0);
    Some(host)
}

fn web_pods(host: &Host) -> Vec<Value> {
    host.pods("shop").into_iter().filter(|pod| pod["metadata"]["labels"]["app"] == "web").collect()
}

fn says(pod: &Value, text: &str) -> bool {
    pod["spec"]["containers"][0]["command"].to_string().contains(text)
}

/// Replays a watch and returns the lowest number of ready pods after all had been ready once.
fn fewest_ready(events: &[Value]) -> usize {
    let mut ready: BTreeMap<String, bool> = BTreeMap::new();
    let (mut complete, mut fewest) = (false, usize::MAX);
    for event in events {
        let pod = &event["object"];
        if pod["metadata"]["labels"]["app"] != "web" {
            continue;
        }
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        // A pod that is told to end counts no longer, though it may still answer.
        let counts = event["type"] != "DELETED" && is_ready(pod) && pod["metadata"]["deletionTimestamp"].is_null();
        ready.insert(name, counts);
        let now = ready.values().filter(|ready| **ready).count();
        complete |= now == REPLICAS as usize;
        if complete {
            fewest = fewest.min(now);
        }
    }
    assert!(complete, "all pods are ready at the start");
    fewest
}

#[test]
fn a_commit_becomes_pods_and_the_next_ones_change_them_without_an_outage() {
    let Some(mut host) = start() else { return };
    assert_eq!(web_pods(&host).iter().filter(|pod| is_ready(pod)).count(), 4, "{:?}", web_pods(&host));
    assert!(!host.census().of_pods().is_empty());
    let recording = host.record_pods("shop");

    host.commit(&[("apps/shop/web.yaml", &deployment("web", REPLICAS, &other_idle(2)))]);
    host.verdict("shop").expect(0).says(&["healthy"]);
    let pods = web_pods(&host);
    assert_eq!(pods.len(), 4);
    assert!(pods.iter().all(|pod| says(pod, "$v = 2") && is_ready(pod)), "{pods:?}");
    assert!(fewest_ready(&recording.events()) >= AVAILABLE_MIN, "while version 2 rolled out");

    let broken = deployment("web", REPLICAS, r#"["/nonexistent/program"]"#);
    let commit = host.commit(&[("apps/shop/web.yaml", &broken)]);
    let verdict = host.verdict("shop").expect(1);
    verdict.says(&["rejected", &commit[..7], "/nonexistent/program"]);
    assert!(fewest_ready(&recording.events()) >= AVAILABLE_MIN, "while the broken version was tried");
    wait_for("the last healthy version runs in full", || {
        let pods = web_pods(&host);
        (pods.len() == 4 && pods.iter().all(|pod| says(pod, "$v = 2") && is_ready(pod))).then_some(())
    });

    host.repo().git(["revert", "--no-edit", "HEAD"]).expect("a revert");
    host.verdict("shop").expect(0);
    assert!(web_pods(&host).iter().all(|pod| says(pod, "$v = 2") && is_ready(pod)));
    assert!(fewest_ready(&recording.events()) >= AVAILABLE_MIN, "all along");
    drop(recording);

    let gone: Vec<Value> =
        host.pods("shop").into_iter().filter(|pod| pod["metadata"]["labels"]["app"] == "extra").collect();
    let uid = gone[0]["metadata"]["uid"].as_str().expect("a uid");
    assert!(!host.census().of_pod(uid).is_empty());
    host.repo().git(["rm", "--quiet", "apps/shop/extra.yaml"]).expect("a removal");
    host.commit(&[]);
    host.verdict("shop").expect(0);
    assert_eq!(host.get("/apis/apps/v1/namespaces/shop/deployments/extra"), None);
    wait_for("the pod of the removed file ends", || host.census().of_pod(uid).is_empty().then_some(()));
    wait_for("its object goes", || {
        host.pods("shop").iter().all(|pod| pod["metadata"]["labels"]["app"] == "web").then_some(())
    });
    assert_eq!(web_pods(&host).len(), 4, "the neighbour stays");

    let before = host.down();
    assert!(before.of_pods().len() >= 4 && before.networks.len() >= 4 && !before.cgroups.is_empty(), "{before}");
    let after = host.census();
    assert!(after.is_empty(), "left behind:\n{after}");
    for network in &before.networks {
        assert!(!census::network_exists(network), "{network} is left behind");
    }
}

#[test]
fn pods_outlive_a_daemon_that_leaves_and_down_finds_them_without_one() {
    let Some(mut host) = start() else { return };
    let before = host.census().of_pods();
    host.kill();
    assert_eq!(host.census().of_pods(), before);
    host.run(&["down", "--yes"]).expect(0);
    let after = host.census();
    assert!(after.is_empty(), "left behind:\n{after}");

    // What ran before comes back without naming the repository again.
    host.up_with(&[]);
    host.verdict("shop").expect(0);
    assert_eq!(web_pods(&host).len(), 4);
    host.down();
}

#[test]
fn a_process_that_is_killed_comes_back_and_an_object_that_is_changed_is_put_right() {
    let Some(mut host) = start() else { return };
    let pod = web_pods(&host).remove(0);
    let (name, uid) =
        (pod["metadata"]["name"].as_str().expect("a name"), pod["metadata"]["uid"].as_str().expect("a uid"));
    host.run(&["exec", "-n", "shop", name, "--", "sh", "-c", "kill -TERM 1"]);
    wait_for("the container is started again", || {
        let pod = host.get(&format!("/api/v1/namespaces/shop/pods/{name}"))?;
        (pod["metadata"]["uid"] == uid && pod["status"]["containerStatuses"][0]["restartCount"] == 1 && is_ready(&pod))
            .then_some(())
    });
    host.down();
}
