use std::ops::Range;

use super::{Broken, Plan, Run, Step};

/// Replays what a failed run printed after its first line.
#[track_caller]
fn replay(seed: u64, lines: &str) -> String {
    let log: Vec<Step> = lines.lines().map(|line| line.trim().parse().expect("a step")).collect();
    match Run::replay(seed, &log) {
        Ok(_) => "every promise was kept".to_owned(),
        Err(broken) => broken.violation.to_string(),
    }
}

/// Runs seeds, those of `BOWLINE_SIM_SEEDS` (`from..to`) where it is set, and prints the shortest log of all that broke.
#[track_caller]
fn check_seeds(seeds: Range<u64>, plan: Plan) {
    let wanted = std::env::var("BOWLINE_SIM_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let seeds: Vec<u64> = wanted.unwrap_or(seeds).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let run = |part: &[u64]| -> Vec<Broken> { part.iter().filter_map(|seed| Run::seed(*seed, plan).err()).collect() };
    let broken: Vec<Broken> = std::thread::scope(|scope| {
        let parts = seeds.chunks(seeds.len().div_ceil(threads).max(1));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || run(part))).collect();
        running.into_iter().flat_map(|part| part.join().expect("a run does not panic")).collect()
    });
    let Some(shortest) = broken.iter().min_by_key(|broken| broken.log.len()) else { return };
    let all: Vec<String> = broken.iter().map(|broken| format!("{}: {}", broken.seed, broken.violation)).collect();
    panic!("{} seeds broke a promise:\n{}\n{shortest}", broken.len(), all.join("\n"));
}

#[test]
fn every_promise_is_kept_whatever_happens_in_whatever_order() {
    check_seeds(0..50, Plan::default());
}

#[test]
fn every_promise_is_kept_where_nothing_fails() {
    check_seeds(1000..1010, Plan { faults: false, ..Plan::default() });
}

#[test]
fn a_run_happens_again_from_its_seed_and_its_printed_log() {
    let first = Run::seed(7, Plan::default()).expect("keeps its promises");
    let lines: Vec<String> = first.log.iter().map(Step::to_string).collect();
    let log: Vec<Step> = lines.iter().map(|line| line.parse().expect("a step")).collect();
    assert_eq!(log, first.log);
    let again = Run::replay(7, &log).expect("keeps its promises");
    assert_eq!((again.revision, again.now, again.log), (first.revision, first.now, first.log));
}

#[test]
fn a_line_that_is_no_step_is_refused() {
    for line in ["", "control", "control x", "control 1 nonsense", "host node-1 web", "pass -1", "reboot"] {
        let refused = line.parse::<Step>().expect_err("no step");
        assert!(refused.to_string().starts_with(&format!("cannot replay `{line}`")), "{refused}");
    }
    assert_eq!(replay(1, "user 1\ncontrol 0\npass 1000000"), "every promise was kept");
}
