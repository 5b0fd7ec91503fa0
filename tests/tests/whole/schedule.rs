//! `bowline schedule`: Kubernetes' meaning of a schedule, as a program sees it.

use bowline_tests::host::run;

#[track_caller]
fn check(case: &str, arguments: &[&str], expected: &[&str]) {
    let count = expected.len().to_string();
    let all = [&["schedule", "--count", count.as_str()], arguments].concat();
    let plain = run(&all).expect(0);
    assert_eq!(plain.stdout.lines().collect::<Vec<_>>(), expected, "{case}");
    let times = run([&all[..], &["-o", "json"]].concat()).expect(0).json();
    let times: Vec<&str> =
        times.as_array().expect("an array").iter().map(|time| time.as_str().expect("text")).collect();
    assert_eq!(times, expected, "{case}, as JSON");
}

#[test]
fn schedules_fire_as_kubernetes_fires_them() {
    let from = |at: &'static str| ["--from", at];
    let new_year = from("2026-01-01T00:00:00Z");
    check(
        "strictly after",
        &["0 0 * * *", new_year[0], new_year[1]],
        &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"],
    );
    check("a step", &["*/20 * * * *", new_year[0], new_year[1]], &["2026-01-01T00:20:00Z", "2026-01-01T00:40:00Z"]);
    check("Sunday is 0", &["0 0 * * 0", new_year[0], new_year[1]], &["2026-01-04T00:00:00Z"]);
    check("Sunday is 7 too", &["0 0 * * 7", new_year[0], new_year[1]], &["2026-01-04T00:00:00Z"]);
    check("a weekday's name", &["0 0 * * MON", new_year[0], new_year[1]], &["2026-01-05T00:00:00Z"]);
    check(
        "day of month or day of week",
        &["0 0 3 * 1", new_year[0], new_year[1]],
        &["2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"],
    );
    check("@daily", &["@daily", new_year[0], new_year[1]], &["2026-01-02T00:00:00Z"]);
    check("@hourly", &["@hourly", new_year[0], new_year[1]], &["2026-01-01T01:00:00Z"]);
    check("a leap day", &["0 0 29 2 *", new_year[0], new_year[1]], &["2028-02-29T00:00:00Z"]);
}

#[test]
fn time_zones_are_named_by_option_or_prefix() {
    let from = ["--from", "2026-01-01T00:00:00Z"];
    let berlin = ["2026-01-01T09:00:00+01:00"];
    check("--tz", &["0 9 * * *", "--tz", "Europe/Berlin", from[0], from[1]], &berlin);
    check("TZ=", &["TZ=Europe/Berlin 0 9 * * *", from[0], from[1]], &berlin);
    check("CRON_TZ=", &["CRON_TZ=Europe/Berlin 0 9 * * *", from[0], from[1]], &berlin);
    let spring = ["30 2 * * *", "--tz", "Europe/Berlin", "--from", "2026-03-28T12:00:00Z"];
    // 02:30 does not exist on 29 March 2026 in Berlin: the day is left out, as robfig/cron does.
    check("an hour that does not exist", &spring, &["2026-03-30T02:30:00+02:00"]);
}

#[test]
fn what_is_no_schedule_is_refused_with_the_reason() {
    for (expression, said) in [("* * * *", "field"), ("61 * * * *", "61"), ("@never", "@never"), ("* * * * FOO", "FOO")]
    {
        run(["schedule", expression]).expect(1).says(&[said]);
    }
    run(["schedule", "@daily", "--tz", "Mars/Olympus"]).expect(1).says(&["Mars/Olympus"]);
    run(["schedule", "TZ=UTC @daily", "--tz", "UTC"]).expect(1).says(&["--tz"]);
    run(["schedule", "@daily", "--from", "yesterday"]).expect(1).says(&["--from"]);
    run(["schedule", "@daily", "--count", "0"]).expect(2).says(&["--count"]);
}
