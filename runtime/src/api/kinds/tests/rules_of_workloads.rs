use serde_json::json;

use super::rules::check;
use super::{cron_job, deployment, job, with};

#[test]
fn workloads_are_checked_as_a_whole() {
    check(
        "selector and labels differ",
        with(deployment(), "/spec/template/metadata/labels", json!({ "app": "api" })),
        &[
            "spec.template.metadata.labels: Invalid value: {\"app\":\"api\"}: `selector` does not match template `labels`",
        ],
    );
    check("no selector", with(deployment(), "/spec/selector", json!(null)), &["spec.selector: Required value"]);
    check(
        "empty selector",
        with(deployment(), "/spec/selector", json!({})),
        &["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    );
    check(
        "a requirement without values",
        with(deployment(), "/spec/selector/matchExpressions", json!([{ "key": "app", "operator": "In" }])),
        &[
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`",
        ],
    );
    check(
        "pods that end",
        with(deployment(), "/spec/template/spec/restartPolicy", json!("Never")),
        &["spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""],
    );
    check(
        "no room to move",
        with(deployment(), "/spec/strategy", json!({ "rollingUpdate": { "maxSurge": 0, "maxUnavailable": "0%" } })),
        &["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"],
    );
    check(
        "more than all",
        with(deployment(), "/spec/strategy", json!({ "rollingUpdate": { "maxUnavailable": "101%" } })),
        &["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"],
    );
    check(
        "both strategies",
        with(deployment(), "/spec/strategy", json!({ "type": "Recreate", "rollingUpdate": {} })),
        &["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    );
    check(
        "a deadline too short",
        with(deployment(), "/spec/minReadySeconds", json!(600)),
        &["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
    );
    check(
        "a job for ever",
        with(job(), "/spec/template/spec/restartPolicy", json!("Always")),
        &["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""],
    );
    check(
        "an indexed job without end",
        with(with(job(), "/spec/completionMode", json!("Indexed")), "/spec/parallelism", json!(2)),
        &["spec.completions: Required value: when completion mode is Indexed"],
    );
    check(
        "a time zone in the schedule",
        with(cron_job(), "/spec/schedule", json!("TZ=UTC 0 3 * * *")),
        &[
            "spec.schedule: Invalid value: \"TZ=UTC 0 3 * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        ],
    );
    check(
        "a field out of range",
        with(cron_job(), "/spec/schedule", json!("0 25 * * *")),
        &["spec.schedule: Invalid value: \"0 25 * * *\": hour `25`: 25 is above the maximum 23; allowed are 0 to 23"],
    );
    check("an @-form", with(cron_job(), "/spec/schedule", json!("@daily")), &[]);
    check(
        "an unknown time zone",
        with(cron_job(), "/spec/timeZone", json!("Mars/Base")),
        &["spec.timeZone: Invalid value: \"Mars/Base\": unknown time zone Mars/Base"],
    );
    check("a known time zone", with(cron_job(), "/spec/timeZone", json!("Europe/Berlin")), &[]);
    check(
        "a long name",
        with(cron_job(), "/metadata/name", json!("n".repeat(53))),
        &[&format!("metadata.name: Invalid value: \"{}\": must be no more than 52 characters", "n".repeat(53))],
    );
}
