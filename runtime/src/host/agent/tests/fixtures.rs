//! Pods and observations in few words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::api::Timestamp;
use crate::api::kinds::{Container, Pod};
use crate::host::agent::decide::spec_hash;
use crate::host::agent::observed::{Note, Observed, Sandbox, Volumes};
use crate::host::engine::{ContainerPhase, ContainerState, Exit, PodState};

/// The time of every table.
pub const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn wall(secs_before_now: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 - secs_before_now)
}

/// Returns a pod with containers `a` and `b`; a word such as `init=i`, `Never`, `deadline=60` changes it.
pub fn pod(words: &str) -> Pod {
    let container = |name: &str| json!({ "name": name, "image": "one" });
    let mut value = json!({
        "metadata": { "name": "web-x", "namespace": "ns", "uid": "uid" },
        "spec": { "containers": [container("a"), container("b")], "initContainers": [], "restartPolicy": "Always" },
        "status": { "startTime": "1970-01-12T13:45:40Z" },
    });
    for word in words.split_whitespace() {
        match word.split_once('=') {
            None => value["spec"]["restartPolicy"] = word.into(),
            Some(("init", name)) => {
                value["spec"]["initContainers"].as_array_mut().expect("a list").push(container(name))
            }
            Some(("deadline", secs)) => {
                value["spec"]["activeDeadlineSeconds"] = secs.parse::<i64>().expect("a number").into()
            }
            Some(("phase", phase)) => value["status"]["phase"] = phase.into(),
            Some(("image-of-a", image)) => value["spec"]["containers"][0]["image"] = image.into(),
            Some(("finalizer", name)) => value["metadata"]["finalizers"] = json!([name]),
            Some(("going", secs)) => {
                let secs: i64 = secs.parse().expect("a number");
                value["metadata"]["deletionTimestamp"] =
                    Value::from(Timestamp::from_secs(NOW.secs() + secs).to_string());
                value["metadata"]["deletionGracePeriodSeconds"] = secs.into();
            }
            Some(other) => panic!("unknown word {other:?}"),
        }
    }
    serde_json::from_value(value).expect("a pod")
}

/// Returns states such as `a:run b:exit1 c:crash1 d:new`, followed by `@2` for the attempt.
pub fn states(words: &str) -> PodState {
    PodState { containers: words.split_whitespace().map(state).collect(), stop_deadline: None }
}

fn state(word: &str) -> ContainerState {
    let (name, rest) = word.split_once(':').expect("name:state");
    let (what, attempt) = rest.split_once('@').unwrap_or((rest, "0"));
    let attempt: u32 = attempt.parse().expect("a number");
    let exit = |attempt: u32, code: &str| Exit {
        attempt,
        code: code.parse().expect("a code"),
        signal: 0,
        oom: false,
        started: wall(20),
        finished: wall(10),
        reason: if code == "0" { "Completed" } else { "Error" }.to_owned(),
        message: String::new(),
    };
    let (phase, last_exit) = if let Some(code) = what.strip_prefix("exit") {
        let exit = exit(attempt, code);
        (ContainerPhase::Exited(exit.clone()), Some(exit))
    } else if let Some(code) = what.strip_prefix("crash") {
        let message = format!("back-off 40s restarting failed container={name} pod=web-x_ns(uid)");
        let until = Some(wall(10) + Duration::from_secs(40));
        (ContainerPhase::Waiting { reason: "CrashLoopBackOff".into(), message, until }, Some(exit(attempt, code)))
    } else if let Some(code) = what.strip_prefix("again") {
        let message = "back-off 0s restarting".to_owned();
        (
            ContainerPhase::Waiting { reason: "CrashLoopBackOff".into(), message, until: Some(wall(10)) },
            Some(exit(attempt, code)),
        )
    } else if what == "new" {
        (ContainerPhase::Waiting { reason: "ContainerCreating".into(), message: String::new(), until: None }, None)
    } else {
        assert_eq!(what, "run");
        let last = attempt.checked_sub(1).map(|before| exit(before, "1"));
        (ContainerPhase::Running { pid: 7, started: wall(5) }, last)
    };
    let container = Container { name: name.to_owned(), image: Some("one".to_owned()), ..Container::default() };
    ContainerState {
        name: name.to_owned(),
        attempt,
        spec_hash: spec_hash(&container),
        phase,
        restart_count: attempt,
        last_exit,
    }
}

/// Returns what is seen of a pod whose images and volumes are ready; `-` is no sandbox, `lost …` a lost one.
pub fn observed(words: &str) -> Observed {
    let sandbox = match words.strip_prefix("lost") {
        _ if words == "-" => Sandbox::None,
        Some(rest) => Sandbox::Lost(states(rest)),
        None => Sandbox::Alive(states(words)),
    };
    let note = || Note { image: "one".into(), image_ready: true, image_id: "sha256:1".into(), ..Note::default() };
    let notes = ["a", "b", "i", "j"].map(|name| (name.to_owned(), note())).into();
    Observed { sandbox, notes, volumes: Volumes::Ready, status_written: true, ..Observed::default() }
}
