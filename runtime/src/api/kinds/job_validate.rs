//! Defaults and rules of Jobs, and of the Jobs that CronJobs make.

use serde_json::{Value, json};

use super::pod::{Owner, check_template, template_defaults};
use crate::api::default::{fill, set};
use crate::api::error::FieldError;
use crate::api::validate::rules::{IMMUTABLE, invalid, invalid_text};
use crate::api::value::Schedule;

/// The longest name of a CronJob: its Jobs append a hyphen and ten digits, and a Job's name becomes a label.
const CRON_JOB_NAME_MAX: usize = 52;

/// The labels by which a Job's pods are found.
const LABELS: [(&str, &str); 4] = [
    ("batch.kubernetes.io/controller-uid", "uid"),
    ("batch.kubernetes.io/job-name", "name"),
    ("controller-uid", "uid"),
    ("job-name", "name"),
];

/// Sets the defaults of a Job.
pub(super) fn defaults(value: &mut Value) {
    job_spec(value.get_mut("spec"));
    labels(value);
}

/// Sets the defaults of a CronJob.
pub(super) fn cron_defaults(value: &mut Value) {
    job_spec(value.pointer_mut("/spec/jobTemplate/spec"));
}

fn job_spec(spec: Option<&mut Value>) {
    let Some(spec) = spec.filter(|spec| spec.is_object()) else {
        return;
    };
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        fill(spec, "completions", 1);
    }
    fill(spec, "parallelism", 1);
    // With a limit for each index there is none for the whole unless it is given.
    let limit = if spec["backoffLimitPerIndex"].is_null() { 6 } else { i32::MAX };
    fill(spec, "backoffLimit", limit);
    let replacement = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    fill(spec, "podReplacementPolicy", replacement);
    template_defaults(spec.pointer_mut("/template/spec"));
}

/// Makes up the selector, and gives the template the labels it looks for, as soon as the Job has its UID.
fn labels(value: &mut Value) {
    if value["spec"]["manualSelector"] == Value::Bool(true) || !value["spec"].is_object() {
        return;
    }
    let text = |field: &str| value["metadata"][field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (Some(uid), Some(name)) = (text("uid"), text("name")) else {
        return;
    };
    if !value["spec"]["selector"].is_null() {
        return;
    }
    for (label, source) in LABELS {
        let new = if source == "uid" { &uid } else { &name };
        set(value, &["spec", "template", "metadata", "labels", label], json!(new));
    }
    set(value, &["spec", "selector"], json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } }));
}

/// Checks a Job.
pub(super) fn validate(value: &Value) -> Vec<FieldError> {
    let mut errors = check_template(Owner::Job, value, "spec.template");
    let spec = &value["spec"];
    job(&mut errors, "spec", spec);
    let has_selector = !spec["selector"].is_null();
    if spec["manualSelector"] != Value::Bool(true) {
        // A selector of the author's own would find pods of other Jobs.
        let uid = &value["metadata"]["uid"];
        let own = &spec["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"];
        if has_selector && uid.is_string() && own != uid {
            errors.push(invalid("spec.selector", &spec["selector"], "`selector` not auto-generated"));
        }
    } else if !has_selector {
        errors.push(FieldError::required("spec.selector", ""));
    }
    if has_selector {
        let selector: crate::api::LabelSelector = serde_json::from_value(spec["selector"].clone()).unwrap_or_default();
        let labels = &spec["template"]["metadata"]["labels"];
        if !selector.matches(&serde_json::from_value(labels.clone()).unwrap_or_default()) {
            let detail = "`selector` does not match template `labels`";
            errors.push(invalid("spec.template.metadata.labels", labels, detail));
        }
    }
    errors
}

/// Checks what Jobs and the template of a CronJob's Jobs share.
fn job(errors: &mut Vec<FieldError>, path: &str, spec: &Value) {
    let indexed = spec["completionMode"] == "Indexed";
    if indexed && spec["completions"].is_null() {
        errors.push(FieldError::required(format!("{path}.completions"), "when completion mode is Indexed"));
    }
    if indexed {
        // More would make the list of completed indexes too long for one object.
        for field in ["completions", "parallelism"] {
            if spec[field].as_i64().is_some_and(|count| count > 100_000) {
                let detail = "must be less than or equal to 100000 when completion mode is Indexed";
                errors.push(invalid(format!("{path}.{field}"), &spec[field], detail));
            }
        }
    }
    for field in ["backoffLimitPerIndex", "successPolicy"] {
        if !spec[field].is_null() && !indexed {
            errors.push(invalid(format!("{path}.{field}"), &spec[field], "requires indexed completion mode"));
        }
    }
    if !spec["maxFailedIndexes"].is_null() && spec["backoffLimitPerIndex"].is_null() {
        errors.push(FieldError::required(format!("{path}.backoffLimitPerIndex"), "when maxFailedIndexes is specified"));
    }
    if !spec["podFailurePolicy"].is_null() && spec["template"]["spec"]["restartPolicy"] != "Never" {
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        let policy = &spec["template"]["spec"]["restartPolicy"];
        errors.push(invalid(format!("{path}.template.spec.restartPolicy"), policy, detail));
    }
}

/// Checks a change of a Job: what its pods are, and which it counts, stays.
pub(super) fn validate_update(old: &Value, new: &Value) -> Vec<FieldError> {
    let (before, after) = (&old["spec"], &new["spec"]);
    let mut errors = Vec::new();
    let mut keep = |field: &str, equal: bool| {
        if !equal {
            errors.push(invalid(format!("spec.{field}"), &after[field], IMMUTABLE));
        }
    };
    // An Indexed Job may grow and shrink as long as parallelism does, too.
    let elastic = before["completionMode"] == "Indexed"
        && after["completions"] == after["parallelism"]
        && after["completions"].is_number();
    keep("completions", before["completions"] == after["completions"] || elastic);
    for field in
        ["selector", "completionMode", "podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "managedBy"]
    {
        keep(field, before[field] == after[field]);
    }
    keep("template", template_kept(old, new));
    errors
}

/// Whether the template stays; that of a suspended Job which never ran may be sent elsewhere.
fn template_kept(old: &Value, new: &Value) -> bool {
    let (mut before, mut after) = (old["spec"]["template"].clone(), new["spec"]["template"].clone());
    if old["spec"]["suspend"] == Value::Bool(true) && old["status"]["startTime"].is_null() {
        for template in [&mut before, &mut after] {
            for (parent, field) in [
                ("/spec", "nodeSelector"),
                ("/spec", "affinity"),
                ("/spec", "tolerations"),
                ("/spec", "schedulingGates"),
                ("/metadata", "labels"),
                ("/metadata", "annotations"),
            ] {
                if let Some(map) = template.pointer_mut(parent).and_then(Value::as_object_mut) {
                    map.remove(field);
                }
            }
        }
    }
    before == after
}

/// Checks a CronJob.
pub(super) fn cron_validate(value: &Value) -> Vec<FieldError> {
    let mut errors = check_template(Owner::Job, value, "spec.jobTemplate.spec.template");
    let spec = &value["spec"];
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    if name.len() > CRON_JOB_NAME_MAX {
        errors.push(invalid_text("metadata.name", name, "must be no more than 52 characters"));
    }
    if let Some(schedule) = spec["schedule"].as_str().filter(|schedule| !schedule.is_empty()) {
        errors.extend(schedule_error(schedule, &spec["timeZone"]));
    }
    if let Some(zone) = spec["timeZone"].as_str() {
        errors.extend(zone_error(zone));
    }
    let job_path = "spec.jobTemplate.spec";
    let template = &spec["jobTemplate"]["spec"];
    if template["manualSelector"] == Value::Bool(true) {
        errors.push(FieldError::forbidden(format!("{job_path}.manualSelector"), "may not be set to true"));
    }
    if !template["selector"].is_null() {
        errors.push(invalid(
            format!("{job_path}.selector"),
            &template["selector"],
            "`selector` will be auto-generated",
        ));
    }
    job(&mut errors, job_path, template);
    errors
}

fn schedule_error(schedule: &str, zone: &Value) -> Option<FieldError> {
    if schedule.contains("TZ") {
        let detail = if zone.is_string() {
            "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        } else {
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        };
        return Some(invalid_text("spec.schedule", schedule, detail));
    }
    let error = Schedule::parse(schedule).err()?;
    Some(invalid_text("spec.schedule", schedule, error.to_string()))
}

fn zone_error(zone: &str) -> Option<FieldError> {
    let path = "spec.timeZone";
    if zone.is_empty() {
        return Some(invalid_text(path, zone, "timeZone must be nil or non-empty string"));
    }
    if zone.eq_ignore_ascii_case("local") {
        return Some(invalid_text(
            path,
            zone,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        ));
    }
    zone.parse::<chrono_tz::Tz>().is_err().then(|| invalid_text(path, zone, format!("unknown time zone {zone}")))
}
