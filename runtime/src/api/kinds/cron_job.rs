//! The CronJob: Jobs by the clock.

use crate::api::kinds::{JobTemplateSpec, ObjectReference};
use crate::api::value::Time;
use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

/// Makes a Job at each time of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "CronJob", group = "batch", version = "v1", plural = "cronjobs", short("cj"), categories("all"), scope = Namespaced,
    status = CronJobStatus, default = super::job_validate::cron_defaults, validate = super::job_validate::cron_validate,
    column(name = "Schedule", type = "string", path = "/spec/schedule"),
    column(name = "Timezone", type = "string", render = crate::api::columns::cron_job::time_zone),
    column(name = "Suspend", type = "string", render = crate::api::columns::cron_job::suspend),
    column(name = "Active", type = "integer", render = crate::api::columns::cron_job::active),
    column(name = "Last Schedule", type = "string", render = crate::api::columns::cron_job::last_schedule),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Containers", type = "string", wide, render = crate::api::columns::workload::containers),
    column(name = "Images", type = "string", wide, render = crate::api::columns::workload::images),
    column(name = "Selector", type = "string", wide, render = crate::api::columns::workload::selector)
)]
pub struct CronJobSpec {
    /// Five fields (minute, hour, day of month, month, day of week) or a form such as `@daily`.
    #[object(required)]
    pub schedule: String,
    /// Time zone of the schedule, for example `Europe/Berlin`; UTC if empty.
    pub time_zone: Option<String>,
    /// Seconds after which a missed start is given up.
    #[object(min = 0)]
    pub starting_deadline_seconds: Option<i64>,
    /// What to do while the Job before still runs.
    #[object(default = "Allow", one_of = ["Allow", "Forbid", "Replace"])]
    pub concurrency_policy: Option<String>,
    /// Whether no Jobs are made for now.
    #[object(default = false)]
    pub suspend: Option<bool>,
    /// What the Jobs look like.
    #[object(required)]
    pub job_template: JobTemplateSpec,
    /// Successful Jobs kept.
    #[object(default = 3, min = 0)]
    pub successful_jobs_history_limit: Option<i32>,
    /// Failed Jobs kept.
    #[object(default = 1, min = 0)]
    pub failed_jobs_history_limit: Option<i32>,
}

/// What was last seen of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct CronJobStatus {
    /// Jobs that run.
    pub active: Vec<ObjectReference>,
    /// When a Job was last due.
    pub last_schedule_time: Option<Time>,
    /// When a Job was last successful.
    pub last_successful_time: Option<Time>,
}
