//! What is done next, as tables.

use super::fixtures::{NOW, observed, pod, states};
use crate::api::Timestamp;
use crate::host::agent::decide::{Action, Blocker, decide};
use crate::host::agent::observed::{Observed, Trouble, Volumes};

fn render(actions: &[Action]) -> String {
    let one = |action: &Action| match action {
        Action::StartSandbox => "sandbox".to_owned(),
        Action::RemoveLost => "remove lost".to_owned(),
        Action::PrepareVolumes => "volumes".to_owned(),
        Action::Pull { container } => format!("pull {container}"),
        Action::Start { container, attempt } => format!("start {container}@{attempt}"),
        Action::Stop { container } => format!("stop {container}"),
        Action::StopAll { grace } => format!("stop all in {}s", grace.as_secs()),
        Action::Release => "release".to_owned(),
        Action::ConfirmDeletion => "confirm".to_owned(),
        Action::Wait { on, until } => {
            let on = match on {
                Blocker::Container { name, reason } => format!("{name} {reason}"),
                Blocker::Init { name } => format!("init {name}"),
                Blocker::Image { name } => format!("image {name}"),
                Blocker::Finalizer { name } => format!("finalizer {name}"),
                other => format!("{other:?}").to_lowercase(),
            };
            let until = until.map_or(String::new(), |at| format!(" {}s", at.since(NOW).as_secs()));
            format!("wait {on}{until}")
        }
    };
    actions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The only caller of `decide` here but [`check_seen`].
#[track_caller]
fn check(case: &str, pod_words: &str, seen: &str, expected: &str) {
    check_seen(case, pod_words, &observed(seen), expected);
}

#[track_caller]
fn check_seen(case: &str, pod_words: &str, seen: &Observed, expected: &str) {
    assert_eq!(render(&decide(seen, &pod(pod_words), NOW)), expected, "{case}");
}

fn with(seen: &str, change: impl FnOnce(&mut Observed)) -> Observed {
    let mut seen = observed(seen);
    change(&mut seen);
    seen
}

fn trouble(reason: &str, retry_in: Option<i64>) -> Option<Trouble> {
    let retry = retry_in.map(|secs| Timestamp::from_secs(NOW.secs() + secs));
    Some(Trouble { reason: reason.into(), message: "why".into(), failures: 1, retry })
}

#[test]
fn a_new_pod_gets_volumes_sandbox_and_images_at_once_then_all_its_containers() {
    let fresh = with("-", |seen| {
        seen.notes.clear();
        seen.volumes = Volumes::Unknown;
    });
    check_seen("nothing is there", "", &fresh, "volumes, sandbox, pull a, pull b");
    check("all is there", "", "", "start a@0, start b@0");
    check("one runs, the other was not tried", "", "a:run", "start b@0");
    check("both run", "", "a:run b:run", "");
}

#[test]
fn init_containers_run_one_by_one_before_the_others() {
    check("the first", "init=i init=j", "", "start i@0");
    check("it runs", "init=i init=j", "i:run", "wait init i");
    check("it is being restarted by its supervisor", "init=i init=j", "i:crash1", "wait init i");
    check("the second", "init=i init=j", "i:exit0", "start j@0");
    check("then the others", "init=i init=j", "i:exit0 j:exit0", "start a@0, start b@0");
    check("never again once a container began", "init=i", "i:exit0 a:run", "start b@0");
}

#[test]
fn a_failed_init_container_ends_a_pod_that_never_restarts() {
    check("Never", "init=i Never", "i:exit1", "release");
    check("OnFailure leaves it to the supervisor", "init=i OnFailure", "i:crash1", "wait init i");
}

#[test]
fn a_supervisor_restarts_what_ended_and_the_rest_is_left_ended() {
    check("crash loop", "", "a:crash1 b:run", "");
    check("Never", "Never", "a:exit1 b:run", "");
    check("OnFailure and succeeded", "OnFailure", "a:exit0 b:run", "");
    check("stopped although it is to run", "", "a:exit0 b:run", "start a@1");
}

#[test]
fn a_pod_whose_containers_have_ended_is_released_once_that_is_told() {
    check("all succeeded", "Never", "a:exit0 b:exit0", "release");
    check("one failed", "Never", "a:exit0 b:exit1", "release");
    let untold = with("a:exit0 b:exit0", |seen| seen.status_written = false);
    check_seen("not told", "Never", &untold, "wait status");
    check("released", "Never phase=Succeeded", "-", "");
    check("told to be over while something runs", "phase=Failed", "a:run", "stop all in 30s");
    check("OnFailure with a failure goes on", "OnFailure", "a:exit0 b:crash1", "");
}

#[test]
fn a_lost_sandbox_is_replaced_and_the_restart_policy_holds() {
    check("first the rest goes", "", "lost a:exit137", "remove lost");
    let after = |past: &str| with("-", |seen| seen.past = states(past));
    check_seen("Always", "", &after("a:exit137@2 b:exit0"), "sandbox, start a@3, start b@1");
    check_seen("OnFailure leaves what succeeded", "OnFailure", &after("a:exit137 b:exit0"), "sandbox, start a@1");
    check_seen("Never is over", "Never", &after("a:exit137 b:exit0"), "");
    check_seen("init containers run again", "init=i", &after("i:exit0 a:exit137 b:exit137"), "sandbox, start i@1");
    check_seen("unless nothing is to run", "init=i OnFailure", &after("i:exit0 a:exit0 b:exit0"), "");
    let second = with("i:exit0@1", |seen| seen.past = states("i:exit0 a:exit137 b:exit137"));
    check_seen("then the others", "init=i", &second, "start a@1, start b@1");
}

#[test]
fn a_changed_image_stops_and_starts_a_container_whatever_the_policy() {
    for policy in ["Always", "OnFailure", "Never"] {
        let words = format!("{policy} image-of-a=two");
        check("it runs", &words, "a:run b:run", "stop a");
        let stopped = with("a:exit143 b:run", |seen| {
            let note = seen.notes.get_mut("a").expect("a note");
            (note.image, note.replacing) = ("two".into(), true);
        });
        check_seen("it has ended", &words, &stopped, "start a@1");
        let unknown = with("a:exit143 b:run", |seen| {
            let note = seen.notes.get_mut("a").expect("a note");
            note.replacing = true;
        });
        check_seen("the new image is looked for", &words, &unknown, "pull a");
    }
    check("an end of its own is no change", "Never image-of-a=two", "a:exit0 b:run", "");
}

#[test]
fn what_stands_in_the_way_of_a_start_is_waited_for() {
    let noted = |reason: &str, retry: Option<i64>| {
        with("b:run", |seen| seen.notes.get_mut("a").expect("a note").trouble = trouble(reason, retry))
    };
    check_seen("back-off", "", &noted("ImagePullBackOff", Some(10)), "wait a ImagePullBackOff 10s");
    check_seen("back-off is over", "", &noted("ImagePullBackOff", Some(0)), "start a@0");
    check_seen("for good", "", &noted("InvalidImageName", None), "wait a InvalidImageName");
    check_seen("a new image has no trouble yet", "image-of-a=two", &noted("InvalidImageName", None), "pull a");
    let pulling = with("b:run", |seen| {
        let note = seen.notes.get_mut("a").expect("a note");
        (note.image_ready, note.pulling) = (false, true);
    });
    check_seen("an image on its way", "", &pulling, "wait image a");
    let volumes = |retry: i64| {
        with("-", |seen| {
            seen.volumes = Volumes::Failed(trouble("CreateContainerConfigError", Some(retry)).expect("trouble"))
        })
    };
    check_seen("no volume", "", &volumes(10), "wait volumes 10s");
    check_seen("again", "", &volumes(0), "volumes, sandbox, start a@0, start b@0");
    let sandbox = |retry: i64| with("-", |seen| seen.sandbox_trouble = trouble("CreatePodSandboxError", Some(retry)));
    check_seen("no sandbox", "", &sandbox(10), "wait sandbox 10s");
    check_seen("again", "", &sandbox(0), "sandbox, start a@0, start b@0");
}

#[test]
fn a_deletion_stops_tells_releases_and_confirms() {
    check("stop in what is left", "going=20", "a:run b:exit0", "stop all in 21s");
    check("a waiting restart is given up", "going=20", "a:crash1", "stop all in 21s");
    check("late, but never without any grace", "going=-60", "a:run", "stop all in 2s");
    check("by force", "going=0", "a:run", "stop all in 0s");
    let untold = with("a:exit0 b:exit0", |seen| seen.status_written = false);
    check_seen("first it is told", "going=20", &untold, "wait status");
    check("then released", "going=20", "a:exit0 b:exit0", "release");
    check("then confirmed", "going=20", "-", "confirm");
    check("of a lost one", "going=20", "lost a:exit137", "remove lost, confirm");
    check("once only", "going=0 finalizer=held", "-", "wait finalizer held");
    check("a pod that is over", "going=0 phase=Failed", "-", "confirm");
}

#[test]
fn a_deadline_ends_the_pod() {
    check("time is left", "deadline=90", "a:run b:run", "wait activedeadline 30s");
    check("time is up", "deadline=60", "a:run b:run", "stop all in 30s");
    let untold = with("a:run b:run", |seen| seen.status_written = false);
    check_seen("it is told first", "deadline=60", &untold, "wait status");
}
