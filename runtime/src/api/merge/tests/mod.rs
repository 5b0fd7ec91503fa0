//! What writes do to an object and to its ownership, case by case.

mod applying;
mod conflicts;
mod differing;
mod patching;
mod real;
mod updating;

use serde_json::{Value, json};

use super::fixtures::WORKLOAD;
use super::{ApplyError, apply, merge_patch, track_update};
use crate::api::value::Timestamp;

/// Returns a workload with this spec, as a manifest states it.
fn workload(spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Workload", "metadata": {"name": "w", "namespace": "n"}, "spec": spec})
}

/// Returns a workload whose template has these containers.
fn containers(containers: &Value) -> Value {
    workload(&json!({"template": {"spec": {"containers": containers}}}))
}

/// One object through a sequence of writes; every write happens a second after the one before.
#[derive(Default)]
struct Lab {
    live: Option<Value>,
    now: i64,
}

impl Lab {
    fn tick(&mut self) -> Timestamp {
        self.now += 1;
        Timestamp::from_secs(self.now)
    }

    fn try_apply(&mut self, manager: &str, config: &Value, force: bool) -> Result<(), ApplyError> {
        let now = self.tick();
        self.live = Some(apply(self.live.as_ref(), config, &WORKLOAD, manager, force, None, now)?);
        Ok(())
    }

    #[track_caller]
    fn apply(&mut self, manager: &str, config: &Value) -> &mut Self {
        self.try_apply(manager, config, false).expect("applies without conflict");
        self
    }

    #[track_caller]
    fn force(&mut self, manager: &str, config: &Value) -> &mut Self {
        self.try_apply(manager, config, true).expect("applies by force");
        self
    }

    /// Writes a merge patch as an updater does, through a subresource if one is given.
    fn patch_through(&mut self, manager: &str, patch: &Value, subresource: Option<&str>) -> &mut Self {
        let now = self.tick();
        let mut new = merge_patch(self.live.as_ref().unwrap_or(&Value::Null), patch);
        track_update(self.live.as_ref(), &mut new, &WORKLOAD, manager, subresource, now);
        self.live = Some(new);
        self
    }

    fn patch(&mut self, manager: &str, patch: &Value) -> &mut Self {
        self.patch_through(manager, patch, None)
    }

    fn at(&self, pointer: &str) -> Value {
        self.live.as_ref().and_then(|live| live.pointer(pointer)).cloned().unwrap_or(Value::Null)
    }

    fn spec(&self) -> Value {
        self.at("/spec")
    }

    fn containers(&self) -> Value {
        self.at("/spec/template/spec/containers")
    }

    /// Returns one line for each entry of managedFields: manager, operation, subresource, second, paths.
    fn owners(&self) -> Vec<String> {
        let entries = self.at("/metadata/managedFields");
        entries.as_array().into_iter().flatten().map(owner).collect()
    }
}

fn owner(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let second = text("time").parse::<Timestamp>().map_or(-1, Timestamp::secs);
    let paths = super::FieldSet::parse(&entry["fieldsV1"]).expect("parses").paths().join(" ");
    let subresource = text("subresource");
    let slash = if subresource.is_empty() { "" } else { "/" };
    format!("{} {}{slash}{subresource} @{second}: {paths}", text("manager"), text("operation"))
}
