//! Whole pods on a real host: store, agent, engine and processes, from the host's own `/usr`.
//!
//! Needs root; without it every test says so and passes.

use std::fs;
use std::io::Read as _;

use serde_json::json;

use super::rig::{FOREVER, Rig, script, shown};
use crate::api::kinds::Pod;
use crate::host::agent::ExecRequest;
use crate::host::engine::tests::unable;
use crate::store::{Op, Precondition, Txn};

#[tokio::test]
async fn containers_run_with_what_their_pod_declares_and_share_its_volumes() {
    if unable("containers_run_with_what_their_pod_declares_and_share_its_volumes") {
        return;
    }
    let rig = Rig::new().await;
    rig.config_map("settings", json!({ "COLOUR": "blue", "file.txt": "of the map" })).await;
    rig.secret("keys", json!({ "password": "hunter2" })).await;
    let host = rig.dir.path().join("host");
    fs::create_dir(&host).expect("a directory");
    let mut writer = script(
        "writer",
        &format!(
            "echo $COLOUR $PASSWORD $NAME $GREETING; cat /settings/file.txt /keys/password; echo; \
             stat -Lc %a /keys/password; touch /settings/x 2>&1 | grep -c Read-only; \
             echo shared > /scratch/note; echo host > /host/note; echo ready; {FOREVER}"
        ),
    );
    writer["envFrom"] = json!([{ "configMapRef": { "name": "settings" } }]);
    writer["env"] = json!([
        { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "password" } } },
        { "name": "NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
        { "name": "GREETING", "value": "hello $(NAME)" },
    ]);
    writer["volumeMounts"] = json!([
        { "name": "settings", "mountPath": "/settings" },
        { "name": "keys", "mountPath": "/keys" },
        { "name": "scratch", "mountPath": "/scratch" },
        { "name": "host", "mountPath": "/host" },
    ]);
    let mut reader = script("reader", &format!("until cat /scratch/note; do sleep 0.1; done; {FOREVER}"));
    reader["volumeMounts"] = json!([{ "name": "scratch", "mountPath": "/scratch", "readOnly": true }]);
    let spec = json!({
        "containers": [writer, reader],
        "volumes": [
            { "name": "settings", "configMap": { "name": "settings" } },
            { "name": "keys", "secret": { "secretName": "keys", "defaultMode": 256 } },
            { "name": "scratch", "emptyDir": {} },
            { "name": "host", "hostPath": { "path": host, "type": "Directory" } },
        ],
    });
    let uid = rig.pod("shop", spec).await;
    let pod = rig.phase("shop", "Running").await;
    let status = pod.status.clone().expect("a status");
    assert!(status.container_statuses.iter().all(|container| container.ready && container.restart_count == 0));
    assert_eq!(status.container_statuses[0].container_id, Some(format!("bowline://{uid}/writer/0")));
    rig.says("shop", "writer", "ready").await;
    let output = rig.output("shop", "writer").await;
    assert_eq!(output, "blue hunter2 shop hello shop\nof the maphunter2\n400\n1\nready\n");
    rig.says("shop", "reader", "shared").await;
    assert_eq!(fs::read_to_string(host.join("note")).expect("the note"), "host\n");

    let command = ["sh", "-c", "cat /scratch/note; exit 7"].map(str::to_owned).to_vec();
    let request = ExecRequest {
        namespace: "default".into(),
        pod: "shop".into(),
        container: Some("reader".into()),
        command,
        stdin: false,
    };
    let session = rig.agent().exec(&request).await.expect("it runs");
    let mut text = String::new();
    assert_eq!(session.exit.await.expect("a task").expect("an exit"), 7);
    fs::File::from(session.stdout).read_to_string(&mut text).expect("output");
    assert_eq!(text, "shared\n");

    for wanted in [
        "Normal Pulled Container image",
        "Normal Created Created container: writer",
        "Normal Started Started container reader",
    ] {
        rig.event("shop", wanted).await;
    }
    rig.end().await;
}

#[tokio::test]
async fn exit_codes_decide_the_phase_of_a_pod_that_never_restarts() {
    if unable("exit_codes_decide_the_phase_of_a_pod_that_never_restarts") {
        return;
    }
    let rig = Rig::new().await;
    let spec = |code: u8| json!({ "restartPolicy": "Never", "containers": [script("a", &format!("exit {code}")), script("b", "true")] });
    let good = rig.pod("good", spec(0)).await;
    let bad = rig.pod("bad", spec(3)).await;
    rig.phase("good", "Succeeded").await;
    let pod = rig.phase("bad", "Failed").await;
    assert!(shown(&pod, "a").starts_with("terminated Error 3"), "{}", shown(&pod, "a"));
    assert!(shown(&pod, "b").starts_with("terminated Completed 0"));
    for (name, uid) in [("good", good), ("bad", bad)] {
        rig.wait(name, "released", |_| {
            !rig.engine.run_dir(&uid).exists() && fs::read_dir(rig.dir.path().join("pods")).is_ok()
        })
        .await;
    }
    assert_eq!(rig.output("good", "a").await, "", "the log outlives the processes");
    rig.end().await;
}

#[tokio::test]
async fn init_containers_run_in_order_and_a_failure_ends_the_pod() {
    if unable("init_containers_run_in_order_and_a_failure_ends_the_pod") {
        return;
    }
    let rig = Rig::new().await;
    let with = |mut container: serde_json::Value| {
        container["volumeMounts"] = json!([{ "name": "log", "mountPath": "/log" }]);
        container
    };
    let spec = |second: &str| {
        json!({
            "restartPolicy": "Never",
            "initContainers": [with(script("one", "sleep 0.2; echo one >> /log/all")), with(script("two", second))],
            "containers": [with(script("main", "echo main >> /log/all; cat /log/all"))],
            "volumes": [{ "name": "log", "emptyDir": {} }],
        })
    };
    rig.pod("good", spec("echo two >> /log/all")).await;
    rig.pod("bad", spec("exit 4")).await;
    rig.phase("good", "Succeeded").await;
    assert_eq!(rig.output("good", "main").await, "one\ntwo\nmain\n");
    let pod = rig.phase("bad", "Failed").await;
    assert!(shown(&pod, "two").starts_with("terminated Error 4"));
    assert!(shown(&pod, "main").starts_with("waiting PodInitializing"));
    rig.end().await;
}

#[tokio::test]
async fn a_crashing_container_is_restarted_and_its_waits_are_told() {
    if unable("a_crashing_container_is_restarted_and_its_waits_are_told") {
        return;
    }
    let rig = Rig::new().await;
    rig.pod("crash", json!({ "containers": [script("main", "echo oops; exit 1"), script("fine", FOREVER)] })).await;
    let pod = rig
        .shows(
            "crash",
            "main",
            "waiting CrashLoopBackOff: back-off 10s restarting failed container=main pod=crash_default(",
        )
        .await;
    let status = pod.status.clone().expect("a status");
    assert_eq!((status.phase.as_deref(), status.container_statuses[0].restart_count), (Some("Running"), 1));
    rig.event("crash", "Warning BackOff Back-off restarting failed container main in pod crash_default(").await;
    rig.end().await;
}

#[tokio::test]
async fn what_is_missing_is_told_and_the_pod_starts_when_it_comes() {
    if unable("what_is_missing_is_told_and_the_pod_starts_when_it_comes") {
        return;
    }
    let rig = Rig::new().await;
    let mut main = script("main", &format!("echo $COLOUR; {FOREVER}"));
    main["env"] =
        json!([{ "name": "COLOUR", "valueFrom": { "configMapKeyRef": { "name": "later", "key": "colour" } } }]);
    rig.pod("env", json!({ "containers": [main] })).await;
    let mut main = script("main", &format!("cat /later/colour; {FOREVER}"));
    main["volumeMounts"] = json!([{ "name": "later", "mountPath": "/later" }]);
    rig.pod(
        "volume",
        json!({ "containers": [main], "volumes": [{ "name": "later", "configMap": { "name": "later" } }] }),
    )
    .await;
    rig.shows("env", "main", "waiting CreateContainerConfigError: configmap \"later\" not found").await;
    rig.shows("volume", "main", "waiting CreateContainerConfigError: MountVolume.SetUp failed for volume \"later\"")
        .await;
    rig.event("volume", "Warning FailedMount MountVolume.SetUp failed for volume \"later\"").await;
    rig.event("env", "Warning Failed Error: configmap \"later\" not found").await;
    rig.config_map("later", json!({ "colour": "green\n" })).await;
    for name in ["env", "volume"] {
        rig.phase(name, "Running").await;
        rig.says(name, "main", "green").await;
    }
    rig.end().await;
}

#[tokio::test]
async fn what_cannot_start_says_why_and_its_neighbours_run() {
    if unable("what_cannot_start_says_why_and_its_neighbours_run") {
        return;
    }
    let rig = Rig::new().await;
    let lost = json!({ "name": "lost", "command": ["no-such-program"] });
    rig.pod("command", json!({ "restartPolicy": "Never", "containers": [lost, script("fine", FOREVER)] })).await;
    let pod = rig.shows("command", "lost", "terminated StartError 128").await;
    assert!(shown(&pod, "lost").contains("executable file not found in $PATH"), "{}", shown(&pod, "lost"));
    rig.shows("command", "fine", "running").await;
    let nowhere = json!({ "name": "nowhere", "image": "127.0.0.1:1/none:1" });
    let nonsense = json!({ "name": "nonsense", "image": "UPPER//case" });
    rig.pod("image", json!({ "containers": [nowhere, nonsense, script("fine", FOREVER)] })).await;
    rig.shows("image", "nowhere", "waiting ImagePullBackOff: Back-off pulling image \"127.0.0.1:1/none:1\": ").await;
    rig.shows("image", "nonsense", "waiting InvalidImageName").await;
    rig.shows("image", "fine", "running").await;
    rig.event("image", "Warning Failed Failed to pull image \"127.0.0.1:1/none:1\"").await;
    rig.event("image", "Normal BackOff Back-off pulling image \"127.0.0.1:1/none:1\"").await;
    rig.end().await;
}

#[tokio::test]
async fn too_much_memory_is_told() {
    if unable("too_much_memory_is_told") {
        return;
    }
    let rig = Rig::new().await;
    let mut main = json!({ "name": "main", "command": ["tail", "/dev/zero"] });
    main["resources"] = json!({ "limits": { "memory": "24Mi" } });
    rig.pod("greedy", json!({ "restartPolicy": "Never", "containers": [main] })).await;
    let pod = rig.phase("greedy", "Failed").await;
    assert!(shown(&pod, "main").starts_with("terminated OOMKilled 137"), "{}", shown(&pod, "main"));
    rig.end().await;
}

#[tokio::test]
async fn a_deleted_pod_ends_gracefully_and_goes() {
    if unable("a_deleted_pod_ends_gracefully_and_goes") {
        return;
    }
    let rig = Rig::new().await;
    let trap = |action: &str| format!("trap '{action}' TERM; echo ready; {FOREVER}");
    let spec =
        |action: &str| json!({ "containers": [script("main", &trap(action))], "terminationGracePeriodSeconds": 600 });
    for (name, action) in [("polite", "exit 0"), ("deaf", ""), ("forced", "")] {
        rig.pod(name, spec(action)).await;
        rig.phase(name, "Running").await;
        rig.says(name, "main", "ready").await;
    }
    let mut watcher = rig.objects.store().watch(None, crate::store::WatchFilter::resource("pods")).expect("a watch");
    rig.delete("polite", None).await;
    rig.gone("polite").await;
    let last = std::iter::from_fn(|| watcher.try_next().expect("events")).last().expect("a deletion");
    let last = last.object().typed::<Pod>().expect("a pod");
    assert!(shown(&last, "main").starts_with("terminated Completed 0"), "its end was told: {}", shown(&last, "main"));
    rig.event("polite", "Normal Killing Stopping container main").await;
    // A second, shorter grace is heard while the first one runs.
    rig.delete("deaf", None).await;
    rig.delete("deaf", Some(1)).await;
    rig.gone("deaf").await;
    rig.delete("forced", Some(0)).await;
    rig.gone("forced").await;
    rig.end().await;
}

#[tokio::test]
async fn a_pod_whose_object_vanishes_is_removed_also_by_an_agent_that_was_not_there() {
    if unable("a_pod_whose_object_vanishes_is_removed_also_by_an_agent_that_was_not_there") {
        return;
    }
    let mut rig = Rig::new().await;
    let forever = || json!({ "containers": [script("main", &format!("trap '' TERM; {FOREVER}"))] });
    for name in ["now", "later"] {
        rig.pod(name, forever()).await;
        rig.phase(name, "Running").await;
    }
    let vanish = |name: &str| Txn::one(Op::delete(Pod::kind().key("default", name), Precondition::Exists));
    rig.objects.store().commit(vanish("now")).expect("it vanishes");
    rig.stop().await;
    rig.objects.store().commit(vanish("later")).expect("it vanishes");
    rig.start().await;
    rig.end().await;
}

#[tokio::test]
async fn a_restarted_agent_takes_over_what_runs_and_tells_what_ended() {
    if unable("a_restarted_agent_takes_over_what_runs_and_tells_what_ended") {
        return;
    }
    let mut rig = Rig::new().await;
    let dir = rig.dir.path().join("gate");
    fs::create_dir(&dir).expect("a directory");
    let mut ending = script("ending", "until test -e /gate/go; do sleep 0.05; done; exit 42");
    ending["volumeMounts"] = json!([{ "name": "gate", "mountPath": "/gate" }]);
    let spec = json!({
        "restartPolicy": "OnFailure",
        "containers": [script("main", FOREVER)],
    });
    let stays = rig.pod("stays", spec).await;
    let spec = json!({ "restartPolicy": "Never", "containers": [ending], "volumes": [{ "name": "gate", "hostPath": { "path": dir } }] });
    let ends = rig.pod("ends", spec).await;
    rig.phase("stays", "Running").await;
    rig.phase("ends", "Running").await;
    let before = rig.processes(&stays).await;
    rig.stop().await;
    fs::write(dir.join("go"), "").expect("a file");
    let record = rig.engine.run_dir(&ends).join("exit/ending.0");
    while !record.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        rig.find("ends").and_then(|pod| pod.status.clone()?.phase),
        Some("Running".into()),
        "nobody is there to tell"
    );
    rig.start().await;
    let pod = rig.phase("ends", "Failed").await;
    assert!(shown(&pod, "ending").starts_with("terminated Error 42"));
    let after = rig
        .wait("stays", "taken over", |_| {
            crate::host::agent::world::lock(&rig.agent().world.handles).contains_key(&stays)
        })
        .await;
    assert_eq!(rig.processes(&stays).await, before, "same processes, same start times");
    let status = after.expect("it is there").status.clone().expect("a status");
    assert_eq!(status.container_statuses[0].restart_count, 0);
    rig.end().await;
}

#[tokio::test]
async fn a_lost_supervisor_is_noticed_and_the_pod_runs_again() {
    if unable("a_lost_supervisor_is_noticed_and_the_pod_runs_again") {
        return;
    }
    let rig = Rig::new().await;
    let uid = rig.pod("lost", json!({ "containers": [script("main", FOREVER)] })).await;
    rig.phase("lost", "Running").await;
    let handle = crate::host::agent::world::lock(&rig.agent().world.handles).get(&uid).cloned().expect("a handle");
    let supervisor = nix::unistd::Pid::from_raw(i32::try_from(handle.supervisor_pid()).expect("a pid"));
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).expect("it can be killed");
    let pod = rig
        .wait("lost", "running again", |pod| {
            let statuses = pod.and_then(|pod| pod.status.as_ref()).map(|status| &status.container_statuses);
            statuses.is_some_and(|list| list.iter().all(|known| known.ready && known.restart_count == 1))
        })
        .await
        .expect("it is there");
    assert!(shown(&pod, "main").starts_with("running"));
    rig.end().await;
}

#[tokio::test]
async fn a_pods_status_is_written_once_for_each_change() {
    if unable("a_pods_status_is_written_once_for_each_change") {
        return;
    }
    let rig = Rig::new().await;
    rig.pod(
        "quiet",
        json!({ "restartPolicy": "Never", "containers": [script("a", "sleep 0.3"), script("b", "sleep 0.3")] }),
    )
    .await;
    rig.phase("quiet", "Succeeded").await;
    let released = |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()).map(|status| &status.conditions);
        let sandbox = |list: &Vec<crate::api::kinds::PodCondition>| {
            list.iter().any(|known| known.type_ == "PodReadyToStartContainers" && known.status == "False")
        };
        conditions.is_some_and(sandbox)
    };
    rig.wait("quiet", "released", released).await;
    let states = rig.objects.store().history(&Pod::kind().key("default", "quiet"));
    let phases = states.len();
    // Created, running, one end and the other (at once or not), released.
    assert!((4..=6).contains(&phases), "{phases} states");
    rig.end().await;
}
