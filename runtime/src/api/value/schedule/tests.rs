use chrono_tz::Tz;

use super::{Due, ParseScheduleError, Schedule};
use crate::api::value::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an RFC 3339 time")
}

/// The next `count` times after `from`, in the notation of the expectation: UTC without seconds and zone.
fn times(schedule: &str, zone: &str, from: &str, count: usize) -> String {
    let (schedule, zone) = (Schedule::parse(schedule).expect(schedule), zone.parse::<Tz>().expect(zone));
    let mut last = at(from);
    let mut times = Vec::new();
    while times.len() < count {
        let Some(next) = schedule.next_after(last, zone) else {
            times.push("never".to_owned());
            break;
        };
        times.push(next.to_string().trim_end_matches(":00Z").to_owned());
        last = next;
    }
    times.join(" ")
}

#[track_caller]
fn check(schedule: &str, zone: &str, from: &str, expected: &str) {
    assert_eq!(
        times(schedule, zone, from, expected.split(' ').count()),
        expected,
        "`{schedule}` in {zone} after {from}"
    );
}

#[test]
fn the_next_time_is_strictly_after_the_given_one() {
    check("0 3 * * *", "UTC", "2026-03-01T03:00:00Z", "2026-03-02T03:00");
    check("0 3 * * *", "UTC", "2026-03-01T02:59:59Z", "2026-03-01T03:00");
    check("0 3 * * *", "UTC", "2026-03-01T02:59:59.999Z", "2026-03-01T03:00");
    check("* * * * *", "UTC", "2026-12-31T23:59:30Z", "2027-01-01T00:00 2027-01-01T00:01");
}

#[test]
fn fields_take_lists_ranges_steps_and_names() {
    check("*/15 * * * *", "UTC", "2026-03-01T00:01:00Z", "2026-03-01T00:15 2026-03-01T00:30 2026-03-01T00:45");
    check("5,35 1-3/2 * * *", "UTC", "2026-03-01T00:00:00Z", "2026-03-01T01:05 2026-03-01T01:35 2026-03-01T03:05");
    check("50/4 0 * * *", "UTC", "2026-03-01T00:00:00Z", "2026-03-01T00:50 2026-03-01T00:54 2026-03-01T00:58");
    check("0 0 1 feb,NOV *", "UTC", "2026-03-01T00:00:00Z", "2026-11-01T00:00 2027-02-01T00:00");
    check("0 0 * * mon-Wed", "UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00 2026-03-03T00:00 2026-03-04T00:00");
    check("  0   0 * * ?  ", "UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00");
    check("0,,30 0 * * *", "UTC", "2026-03-01T00:00:00Z", "2026-03-01T00:30");
}

#[test]
fn sunday_is_0_and_7_and_sun() {
    for sunday in ["0", "7", "SUN", "sun"] {
        check(&format!("0 0 * * {sunday}"), "UTC", "2026-03-01T00:00:00Z", "2026-03-08T00:00 2026-03-15T00:00");
    }
    check("0 0 * * 5-7", "UTC", "2026-03-01T00:00:00Z", "2026-03-06T00:00 2026-03-07T00:00 2026-03-08T00:00");
    check("0 0 * * 6", "UTC", "2026-03-01T00:00:00Z", "2026-03-07T00:00");
}

#[test]
fn a_day_matches_either_field_when_both_are_restricted() {
    check("0 0 13 * 5", "UTC", "2026-03-09T00:00:00Z", "2026-03-13T00:00 2026-03-20T00:00 2026-03-27T00:00");
    check("0 0 1,15 * MON", "UTC", "2026-03-09T00:00:00Z", "2026-03-15T00:00 2026-03-16T00:00 2026-03-23T00:00");
    check("0 0 13 * *", "UTC", "2026-03-09T00:00:00Z", "2026-03-13T00:00 2026-04-13T00:00");
    check("0 0 ? * 5", "UTC", "2026-03-09T00:00:00Z", "2026-03-13T00:00 2026-03-20T00:00");
    check("0 0 */1 * 5", "UTC", "2026-03-09T00:00:00Z", "2026-03-13T00:00 2026-03-20T00:00");
}

#[test]
fn a_star_with_a_step_restricts_the_day() {
    check(
        "0 0 */10 * 5",
        "UTC",
        "2026-03-09T00:00:00Z",
        "2026-03-11T00:00 2026-03-13T00:00 2026-03-20T00:00 2026-03-21T00:00",
    );
}

#[test]
fn short_months_and_leap_years_are_left_out_where_the_day_is_missing() {
    check("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", "2026-03-31T00:00 2026-05-31T00:00");
    check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00");
    check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "never");
    check("0 0 31 2 *", "UTC", "2026-01-01T00:00:00Z", "never");
    check("59 23 30 4,6 *", "UTC", "2026-01-01T00:00:00Z", "2026-04-30T23:59 2026-06-30T23:59");
}

#[test]
fn descriptors_stand_for_fields() {
    check("@yearly", "UTC", "2026-03-01T00:00:00Z", "2027-01-01T00:00");
    check("@annually", "UTC", "2026-03-01T00:00:00Z", "2027-01-01T00:00");
    check("@monthly", "UTC", "2026-03-01T00:00:00Z", "2026-04-01T00:00");
    check("@weekly", "UTC", "2026-03-03T00:00:00Z", "2026-03-08T00:00");
    check("@daily", "Europe/Berlin", "2026-03-01T00:00:00Z", "2026-03-01T23:00");
    check("@midnight", "UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00");
    check("@hourly", "UTC", "2026-03-01T00:00:00Z", "2026-03-01T01:00");
}

#[test]
fn every_counts_whole_seconds_from_the_last_time() {
    check("@every 1h30m", "UTC", "2026-03-01T00:10:00Z", "2026-03-01T01:40 2026-03-01T03:10");
    check("@every 1.5h", "UTC", "2026-03-01T00:00:00.7Z", "2026-03-01T01:30");
    let every = Schedule::parse("@every 10ms").expect("parses");
    assert_eq!(every.next_after(at("2026-03-01T00:00:00Z"), Tz::UTC), Some(at("2026-03-01T00:00:01Z")));
}

#[test]
fn a_time_that_the_clocks_jump_over_is_left_out() {
    // Berlin: 02:00 becomes 03:00 on 29 March 2026, at 01:00 UTC.
    check("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30 2026-03-30T00:30");
    check("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00 2026-03-30T01:00");
    check("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T00:00 2026-03-29T01:00");
    // New York: 02:00 becomes 03:00 on 8 March 2026, at 07:00 UTC.
    check("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T06:30");
    // Lord Howe: 02:00 becomes 02:30 on 4 October 2026, at 15:30 UTC of the 3rd.
    check("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T15:15");
    check("45 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:45");
}

#[test]
fn an_hour_that_comes_twice_fires_twice() {
    // Berlin: 03:00 becomes 02:00 on 25 October 2026, at 01:00 UTC.
    check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30 2026-10-25T01:30 2026-10-26T01:30");
    check("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:00");
    // New York: 02:00 becomes 01:00 on 1 November 2026, at 06:00 UTC.
    check(
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00:00Z",
        "2026-11-01T05:30 2026-11-01T06:30 2026-11-02T06:30",
    );
    // Lord Howe: 02:00 becomes 01:30 on 5 April 2026, at 15:00 UTC of the 4th.
    check("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-04T14:45 2026-04-04T15:15");
}

#[test]
fn a_day_without_midnight_starts_when_it_can() {
    // Sao Paulo, 4 November 2018: midnight becomes 01:00.
    check("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T02:00");
    check("30 1 * * 0", "America/Sao_Paulo", "2018-11-01T12:00:00Z", "2018-11-04T03:30");
}

/// `oracle.tsv` holds 400 random cases with the answers of robfig/cron v3.0.1, half of them around a change of clocks.
#[test]
fn next_times_are_those_of_the_library_that_kubernetes_uses() {
    for line in include_str!("oracle.tsv").lines() {
        let [schedule, zone, from, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}")
        };
        check(schedule, zone, from, expected.trim_end_matches(":00Z"));
    }
}

#[track_caller]
fn check_error(schedule: &str, expected: &str) {
    let error = Schedule::parse(schedule).expect_err(schedule);
    assert_eq!(error.to_string(), expected, "`{schedule}`");
}

#[test]
fn an_error_names_field_value_range_and_what_to_write_instead() {
    check_error("", "the schedule is empty: give five fields such as `0 3 * * *`, or `@daily`");
    check_error("60 * * * *", "minute `60`: 60 is above the maximum 59; allowed are 0 to 59");
    check_error("0 24 * * *", "hour `24`: 24 is above the maximum 23; allowed are 0 to 23");
    check_error("0 0 0 * *", "day-of-month `0`: 0 is below the minimum 1; allowed are 1 to 31");
    check_error("0 0 1 13 *", "month `13`: 13 is above the maximum 12; allowed are 1 to 12 or JAN to DEC");
    check_error(
        "0 0 * * 8",
        "day-of-week `8`: 8 is above the maximum 7; allowed are 0 to 7 (0 and 7 are Sunday) or SUN to SAT",
    );
    check_error(
        "0 0 * june *",
        "month `june`: `june` is no value; did you mean `JUN`?; allowed are 1 to 12 or JAN to DEC",
    );
    check_error("0 5-3 * * *", "hour `5-3`: the range starts at 5, beyond its end 3; try `3-5`; allowed are 0 to 23");
    check_error("*/0 * * * *", "minute `*/0`: the step is 0; the smallest is 1; allowed are 0 to 59");
    check_error("*/x * * * *", "minute `*/x`: the step `x` is no whole number; allowed are 0 to 59");
    check_error("1-2-3 * * * *", "minute `1-2-3`: `2-3` is no whole number; allowed are 0 to 59");
    check_error("-1 * * * *", "minute `-1`: `` is no whole number; allowed are 0 to 59");
    check_error(", * * * *", "minute `,`: lists no value; allowed are 0 to 59");
    check_error("@dayly", "unrecognized descriptor `@dayly`: did you mean `@daily`?");
    check_error("@every 5", "`5` is no duration: write it as `@every 1h30m` (units h, m, s), one second or more");
    check_error("@every -1h", "`-1h` is no duration: write it as `@every 1h30m` (units h, m, s), one second or more");
    check_error(
        "0 0 0 * * *",
        "expected exactly 5 fields (minute hour day-of-month month day-of-week), found 6: `0 0 0 * * *`; a field for seconds is not part of the format",
    );
    check_error("TZ=UTC 0 0 * * *", "`TZ=UTC 0 0 * * *` names a time zone in the schedule: set `timeZone` instead");
}

#[test]
fn no_text_makes_the_parser_panic() {
    for text in [
        "ä-ö * * * *",
        "0 0 * * ä",
        "@every 99999999999h",
        "@every h",
        "@every .",
        "1/99999999999 * * * *",
        "@",
        "* * * * jäm",
    ] {
        assert!(Schedule::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_zone_prefix_is_understood_where_asked_for() {
    let (schedule, zone) = Schedule::parse_with_prefix("CRON_TZ=Europe/Berlin 0 6 * * *").expect("parses");
    assert_eq!((schedule.to_string().as_str(), zone), ("0 6 * * *", Some(Tz::Europe__Berlin)));
    assert_eq!(Schedule::parse_with_prefix("TZ=UTC @daily").expect("parses").1, Some(Tz::UTC));
    assert_eq!(Schedule::parse_with_prefix("@daily").expect("parses").1, None);
    let error = Schedule::parse_with_prefix("TZ=Europe/Bonn @daily").expect_err("no such zone");
    assert_eq!(error, ParseScheduleError::Zone { name: "Europe/Bonn".to_owned() });
}

#[track_caller]
fn check_due(case: &str, schedule: &str, earliest: &str, now: &str, expected: Option<(&str, u64)>) {
    let due = Schedule::parse(schedule).expect(schedule).most_recent_before(at(earliest), at(now), Tz::UTC);
    assert_eq!(due, expected.map(|(time, missed)| Due { at: at(time), missed }), "{case}");
}

#[test]
fn only_the_latest_of_the_missed_runs_is_due() {
    let (midnight, noon) = ("2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z");
    check_due("nothing yet", "0 13 * * *", midnight, noon, None);
    check_due("one", "0 11 * * *", midnight, noon, Some(("2026-03-01T11:00:00Z", 1)));
    check_due("due right now", "0 12 * * *", midnight, noon, Some((noon, 1)));
    check_due("several", "0 * * * *", midnight, noon, Some((noon, 12)));
    check_due("a minute too many", "* * * * *", midnight, "2026-03-01T01:41:30Z", Some(("2026-03-01T01:41:00Z", 101)));
    check_due(
        "every counts from the earliest",
        "@every 7m",
        midnight,
        "2026-03-01T00:30:00Z",
        Some(("2026-03-01T00:28:00Z", 4)),
    );
    check_due("uneven", "0 1,2,20 * * *", midnight, "2026-03-03T12:00:00Z", Some(("2026-03-03T02:00:00Z", 60)));
    check_due("never", "0 0 31 2 *", midnight, noon, None);
}

#[test]
fn more_than_a_hundred_missed_runs_are_too_many() {
    assert!(!Due { at: Timestamp::EPOCH, missed: 100 }.too_many());
    assert!(Due { at: Timestamp::EPOCH, missed: 101 }.too_many());
}
