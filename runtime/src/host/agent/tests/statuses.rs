//! What a pod's status says, as tables.

use super::fixtures::{NOW, observed, pod, states};
use crate::api::Timestamp;
use crate::api::kinds::{ContainerState, ContainerStatus, Pod, PodStatus, Probe};
use crate::host::agent::observed::{Observed, Trouble, Volumes};
use crate::host::agent::past::past_of;
use crate::host::agent::probed::Probed;
use crate::host::agent::status::{NodeAddresses, status};

fn of(seen: &Observed, pod: &Pod) -> PodStatus {
    status(seen, pod, &NodeAddresses { host_ip: "192.0.2.7".into() }, NOW)
}

fn word(state: Option<&ContainerState>) -> String {
    let Some(state) = state else { return "-".to_owned() };
    match (&state.waiting, &state.running, &state.terminated) {
        (Some(waiting), ..) => waiting.reason.clone().unwrap_or_default(),
        (_, Some(_), _) => "running".to_owned(),
        (.., Some(ended)) => format!("{} {}", ended.reason.clone().unwrap_or_default(), ended.exit_code),
        _ => "nothing".to_owned(),
    }
}

fn render(container: &ContainerStatus) -> String {
    let ready = if container.ready { " ready" } else { "" };
    let last = container.last_state.as_ref().map_or(String::new(), |last| format!(" after {}", word(Some(last))));
    format!("{} {}{last} x{}{ready}", container.name, word(container.state.as_ref()), container.restart_count)
}

/// Checks phase and containers.
#[track_caller]
fn check(case: &str, pod_words: &str, seen: &str, expected: &str) {
    check_seen(case, pod_words, &observed(seen), expected);
}

#[track_caller]
fn check_seen(case: &str, pod_words: &str, seen: &Observed, expected: &str) {
    let mut pod = pod(pod_words);
    let status = of(seen, &pod);
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).map(render);
    let text =
        std::iter::once(status.phase.clone().unwrap_or_default()).chain(containers).collect::<Vec<_>>().join(" | ");
    assert_eq!(text, expected, "{case}");
    pod.status = Some(status.clone());
    let later = super::super::status::status(
        seen,
        &pod,
        &NodeAddresses { host_ip: "192.0.2.7".into() },
        Timestamp::from_secs(NOW.secs() + 1),
    );
    assert_eq!(later, status, "{case}: nothing changed, so nothing is written");
}

#[test]
fn the_phase_follows_the_containers() {
    check("nothing is there", "", "-", "Pending | a ContainerCreating x0 | b ContainerCreating x0");
    check("one has not begun", "", "a:run", "Pending | a running x0 ready | b ContainerCreating x0");
    check("one is being made", "", "a:run b:new", "Pending | a running x0 ready | b ContainerCreating x0");
    check("all run", "", "a:run b:run", "Running | a running x0 ready | b running x0 ready");
    check("Never and one runs", "Never", "a:exit1 b:run", "Running | a Error 1 x0 | b running x0 ready");
    check("Never and one failed", "Never", "a:exit1 b:exit0", "Failed | a Error 1 x0 | b Completed 0 x0");
    check("Never and none failed", "Never", "a:exit0 b:exit0", "Succeeded | a Completed 0 x0 | b Completed 0 x0");
    check(
        "OnFailure and none failed",
        "OnFailure",
        "a:exit0 b:exit0",
        "Succeeded | a Completed 0 x0 | b Completed 0 x0",
    );
    check("Always is never over", "", "a:exit0 b:exit0", "Running | a Completed 0 x0 | b Completed 0 x0");
    check("unless it is deleted", "going=9", "a:exit143 b:exit0", "Failed | a Error 143 x0 | b Completed 0 x0");
    check("a terminal phase stays", "phase=Failed", "a:run b:exit0", "Failed | a running x0 ready | b Completed 0 x0");
}

#[test]
fn init_containers_hold_the_others_back() {
    check("the first runs", "init=i", "i:run", "Pending | i running x0 | a PodInitializing x0 | b PodInitializing x0");
    check(
        "it failed for good",
        "init=i Never",
        "i:exit1",
        "Failed | i Error 1 x0 | a PodInitializing x0 | b PodInitializing x0",
    );
    check(
        "it is tried again",
        "init=i",
        "i:crash1@2",
        "Pending | i CrashLoopBackOff after Error 1 x2 | a PodInitializing x0 | b PodInitializing x0",
    );
    check(
        "it is done",
        "init=i",
        "i:exit0 a:run b:run",
        "Running | i Completed 0 x0 ready | a running x0 ready | b running x0 ready",
    );
}

#[test]
fn restarts_show_what_came_before() {
    check("in back-off", "", "a:crash1@3 b:run", "Running | a CrashLoopBackOff after Error 1 x3 | b running x0 ready");
    check("about to be restarted", "", "a:again1 b:run", "Running | a Error 1 x0 | b running x0 ready");
    check("runs again", "", "a:run@4 b:run", "Running | a running after Error 1 x4 ready | b running x0 ready");
}

#[test]
fn a_crash_loop_says_who_waits_how_long() {
    let status = of(&observed("a:crash1 b:run"), &pod(""));
    let waiting =
        status.container_statuses[0].state.as_ref().and_then(|state| state.waiting.clone()).expect("it waits");
    assert_eq!(waiting.message.as_deref(), Some("back-off 40s restarting failed container=a pod=web-x_ns(uid)"));
    assert_eq!(status.container_statuses[0].container_id.as_deref(), Some("bowline://uid/a/0"));
}

#[test]
fn trouble_is_told_by_the_containers_that_wait_for_its_end() {
    let trouble = |reason: &str| Trouble::lasting(reason, "why");
    let mut seen = observed("b:run");
    seen.notes.get_mut("a").expect("a note").trouble = Some(trouble("ErrImagePull"));
    check_seen("image", "", &seen, "Pending | a ErrImagePull x0 | b running x0 ready");
    let mut seen = observed("-");
    seen.volumes = Volumes::Failed(trouble("CreateContainerConfigError"));
    check_seen("volume", "", &seen, "Pending | a CreateContainerConfigError x0 | b CreateContainerConfigError x0");
    let mut seen = observed("-");
    seen.sandbox_trouble = Some(trouble("CreatePodSandboxError"));
    check_seen("sandbox", "", &seen, "Pending | a CreatePodSandboxError x0 | b CreatePodSandboxError x0");
    let mut seen = observed("a:exit143@2 b:run");
    let note = seen.notes.get_mut("a").expect("a note");
    (note.image, note.replacing, note.trouble) = ("two".into(), true, Some(trouble("ErrImagePull")));
    check_seen(
        "a new image cannot be had",
        "Never image-of-a=two",
        &seen,
        "Running | a ErrImagePull after Error 143 x2 | b running x0 ready",
    );
}

#[test]
fn a_failed_pull_is_told_then_held_back() {
    let told = Trouble { failures: 2, ..Trouble::retried("ErrImagePull", "no route") };
    let held = told.held_back("one").expect("it is a pull");
    assert_eq!((held.reason.as_str(), held.failures, held.retry), ("ImagePullBackOff", 2, told.retry));
    assert_eq!(held.message, "Back-off pulling image \"one\": ErrImagePull: no route");
    assert_eq!(held.held_back("one"), None);
}

#[test]
fn a_pod_that_outlives_its_deadline_has_failed() {
    let status = of(&observed("a:run b:run"), &pod("deadline=60"));
    assert_eq!((status.phase.as_deref(), status.reason.as_deref()), (Some("Failed"), Some("DeadlineExceeded")));
    assert_eq!(status.message.as_deref(), Some("Pod was active on the node longer than the specified deadline"));
}

#[test]
fn conditions_follow_upstream_and_move_only_when_they_change() {
    let check = |case: &str, words: &str, seen: &str, expected: &str| {
        let status = of(&observed(seen), &pod(words));
        let one = |kind: &str| {
            let found = status.conditions.iter().find(|known| known.type_ == kind).expect("a condition");
            let reason = found.reason.as_ref().map_or(String::new(), |reason| format!(" {reason}"));
            let message = found.message.as_ref().map_or(String::new(), |message| format!(" ({message})"));
            format!("{}{reason}{message}", found.status)
        };
        let kinds = ["PodReadyToStartContainers", "Initialized", "Ready"];
        assert_eq!(kinds.map(one).join(" | "), expected, "{case}");
        assert_eq!(one("Ready"), one("ContainersReady"), "{case}");
    };
    let unready = "False ContainersNotReady (containers with unready status: [a b])";
    check("new", "", "-", &format!("False | True | {unready}"));
    check(
        "init",
        "init=i init=j",
        "i:exit0 j:run",
        &format!("True | False ContainersNotInitialized (containers with incomplete status: [j]) | {unready}"),
    );
    check("ready", "init=i", "i:exit0 a:run b:run", "True | True | True");
    check(
        "one is not",
        "",
        "a:run b:crash1",
        "True | True | False ContainersNotReady (containers with unready status: [b])",
    );
    check("succeeded", "Never", "a:exit0 b:exit0", "True | True PodCompleted | False PodCompleted");
    check("failed", "Never", "a:exit0 b:exit1", "True | True | False PodFailed");

    let mut pod = pod("");
    pod.status = Some(of(&observed("a:run b:run"), &pod));
    let later = Timestamp::from_secs(NOW.secs() + 100);
    let next = status(&observed("a:run b:crash1"), &pod, &NodeAddresses::default(), later);
    let since = |kind: &str| {
        next.conditions.iter().find(|known| known.type_ == kind).and_then(|known| known.last_transition_time)
    };
    assert_eq!(since("Initialized").map(|time| time.0), Some(NOW));
    assert_eq!(since("Ready").map(|time| time.0), Some(later));
}

#[test]
fn what_ran_before_a_reboot_is_known_from_the_status() {
    let mut pod = pod("OnFailure");
    pod.status = Some(of(&observed("a:run@2 b:exit0"), &pod));
    let past = past_of(pod.status.as_ref().expect("a status"), NOW);
    let mut seen = Observed { past, ..Observed::default() };
    check_seen(
        "its end was not seen",
        "OnFailure",
        &seen,
        "Running | a ContainerStatusUnknown 137 x2 | b Completed 0 x0",
    );
    seen.past = past_of(&PodStatus::default(), NOW);
    assert_eq!(seen.past, states(""), "what never ran is not there");
}

#[test]
fn probes_decide_on_started_and_ready() {
    let check = |case: &str, probes: &[&str], probed: Option<Probed>, expected: (bool, bool)| {
        let mut pod = pod("");
        for probe in probes {
            let own = &mut pod.spec.containers[0];
            match *probe {
                "startup" => own.startup_probe = Some(Probe::default()),
                "readiness" => own.readiness_probe = Some(Probe::default()),
                other => panic!("unknown probe {other:?}"),
            }
        }
        let mut seen = observed("a:run b:run");
        seen.probed.extend(probed.map(|probed| ("a".to_owned(), probed)));
        let container = &of(&seen, &pod).container_statuses[0];
        assert_eq!((container.started, container.ready), (Some(expected.0), expected.1), "{case}");
    };
    let probed = |started: bool, ready: bool| Some(Probed { started, ready, unhealthy: None });
    check("no probes", &[], None, (true, true));
    check("not probed yet", &["readiness"], None, (true, false));
    check("not started yet", &["startup", "readiness"], None, (false, false));
    check("not started", &["startup"], probed(false, true), (false, false));
    check("started", &["startup", "readiness"], probed(true, false), (true, false));
    check("ready", &["startup", "readiness"], probed(true, true), (true, true));
}
