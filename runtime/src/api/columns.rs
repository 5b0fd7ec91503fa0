//! The cells of `get`: functions of an object and the present time, by the rules of Kubernetes' printers.
//!
//! Start at [`cells`]. The functions below are named in the declarations of the kinds; one module a family.

pub mod event;
pub mod node;
pub mod pod;
pub mod workload;

use serde_json::Value;

use super::object::{ColumnSource, Kind};
use super::value::{Time, Timestamp};

const NONE: &str = "<none>";
const UNKNOWN: &str = "<unknown>";

/// Returns the cells of an object in the order of its kind's columns, without the leading name.
pub fn cells(kind: &Kind, value: &Value, now: Timestamp) -> Vec<String> {
    let cell = |column: &super::object::Column| match column.source {
        ColumnSource::Render(render) => render(value, now),
        ColumnSource::Pointer(pointer) => match value.pointer(pointer) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) if column.kind == "date" => since_text(text, now),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        },
    };
    kind.columns.iter().map(cell).collect()
}

/// Writes a span of time in at most two units, as `kubectl get` does.
pub fn human_duration(seconds: i64) -> String {
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{small_unit}") }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

/// Returns the whole seconds from a time to now; a time ahead of now gives less than zero.
fn elapsed(from: Timestamp, now: Timestamp) -> i64 {
    (now.micros() - from.micros()) / 1_000_000
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse::<Timestamp>().ok()
}

/// Returns how long ago a time was, or `<unknown>` if there is none.
fn since(value: &Value, now: Timestamp) -> String {
    time(value).map_or_else(|| UNKNOWN.to_owned(), |from| human_duration(elapsed(from, now)))
}

fn since_text(text: &str, now: Timestamp) -> String {
    text.parse::<Timestamp>()
        .map_or_else(|_| UNKNOWN.to_owned(), |from| human_duration(elapsed(Time::from(from).0, now)))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// Returns the condition of a type.
fn condition<'a>(value: &'a Value, type_: &str) -> Option<&'a Value> {
    value["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// Returns the age of an object.
pub fn age(value: &Value, now: Timestamp) -> String {
    since(&value["metadata"]["creationTimestamp"], now)
}

/// Returns the number of keys of a ConfigMap or Secret.
pub fn data(value: &Value, _: Timestamp) -> String {
    let keys = |field: &str| value[field].as_object().map_or(0, serde_json::Map::len);
    (keys("data") + keys("binaryData")).to_string()
}

/// Returns the number of Secrets of a ServiceAccount.
pub fn secrets(value: &Value, _: Timestamp) -> String {
    value["secrets"].as_array().map_or(0, Vec::len).to_string()
}

/// Returns the status of the condition `Ready`.
pub fn ready_condition(value: &Value, _: Timestamp) -> String {
    condition(value, "Ready").map_or("Unknown", |condition| text(&condition["status"])).to_owned()
}

/// Returns the message of the condition `Ready`, on one line.
pub fn ready_message(value: &Value, _: Timestamp) -> String {
    let message = condition(value, "Ready").map_or("", |condition| text(&condition["message"]));
    message.lines().next().unwrap_or_default().to_owned()
}

/// Returns a commit's hash as people write it.
fn short_commit(value: &Value) -> String {
    let commit = text(value);
    let hash = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hash && commit.len() > 12 { commit[..12].to_owned() } else { commit.to_owned() }
}

/// Cells of GitRepositories.
pub mod git_repository {
    use super::{Timestamp, Value, short_commit};

    /// Returns the commit that was last fetched.
    pub fn revision(value: &Value, _: Timestamp) -> String {
        short_commit(&value["status"]["revision"])
    }
}

/// Cells of Applications.
pub mod application {
    use super::{Timestamp, Value, short_commit, text};

    /// Returns the worst health of all objects.
    pub fn health(value: &Value, _: Timestamp) -> String {
        text(&value["status"]["health"]).to_owned()
    }
    /// Returns the newest commit.
    pub fn seen(value: &Value, _: Timestamp) -> String {
        short_commit(&value["status"]["revision"]["seen"])
    }
    /// Returns the commit that is applied.
    pub fn applied(value: &Value, _: Timestamp) -> String {
        short_commit(&value["status"]["revision"]["applied"])
    }
    /// Returns the last commit that was healthy.
    pub fn healthy(value: &Value, _: Timestamp) -> String {
        short_commit(&value["status"]["revision"]["healthy"])
    }
}

/// Cells of Jobs.
pub mod job {
    use super::{Timestamp, Value, condition, count, elapsed, human_duration, time};

    /// Returns what has become of the Job, in one word.
    pub fn status(value: &Value, _: Timestamp) -> String {
        let holds = |type_: &str| condition(value, type_).is_some_and(|condition| condition["status"] == "True");
        let dying = !value["metadata"]["deletionTimestamp"].is_null();
        let word = match () {
            () if holds("Complete") => "Complete",
            () if holds("Failed") => "Failed",
            () if dying => "Terminating",
            () if holds("Suspended") => "Suspended",
            () if holds("FailureTarget") => "FailureTarget",
            () if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
            () => "Running",
        };
        word.to_owned()
    }
    /// Returns how many pods have succeeded, of how many.
    pub fn completions(value: &Value, _: Timestamp) -> String {
        let succeeded = count(&value["status"]["succeeded"]);
        match (value["spec"]["completions"].as_i64(), count(&value["spec"]["parallelism"])) {
            (Some(wanted), _) => format!("{succeeded}/{wanted}"),
            (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
            (None, _) => format!("{succeeded}/1"),
        }
    }
    /// Returns how long the Job has run.
    pub fn duration(value: &Value, now: Timestamp) -> String {
        let Some(start) = time(&value["status"]["startTime"]) else {
            return String::new();
        };
        human_duration(elapsed(start, time(&value["status"]["completionTime"]).unwrap_or(now)))
    }
}

/// Cells of CronJobs.
pub mod cron_job {
    use super::{NONE, Timestamp, Value, or_none, since, text};

    /// Returns the time zone.
    pub fn time_zone(value: &Value, _: Timestamp) -> String {
        or_none(text(&value["spec"]["timeZone"]))
    }
    /// Returns whether the CronJob is suspended.
    pub fn suspend(value: &Value, _: Timestamp) -> String {
        let word = match value["spec"]["suspend"].as_bool() {
            Some(true) => "True",
            Some(false) => "False",
            None => "<unset>",
        };
        word.to_owned()
    }
    /// Returns the number of Jobs that run.
    pub fn active(value: &Value, _: Timestamp) -> String {
        value["status"]["active"].as_array().map_or(0, Vec::len).to_string()
    }
    /// Returns how long ago a Job was last due.
    pub fn last_schedule(value: &Value, now: Timestamp) -> String {
        let last = &value["status"]["lastScheduleTime"];
        if last.is_null() { NONE.to_owned() } else { since(last, now) }
    }
}

#[cfg(test)]
mod tests;
