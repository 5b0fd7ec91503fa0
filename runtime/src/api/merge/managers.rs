//! `metadata.managedFields`: who owns which fields of an object.
//!
//! Never decides about conflicts; keeps entries apart by manager, operation, version and subresource, as Kubernetes
//! does.

use serde_json::{Map, Value, json};

use super::fieldset::FieldSet;
use super::owned::Comparison;
use crate::api::object::Kind;
use crate::api::value::{Time, Timestamp};

/// Most managers with operation `Update` on one object; older ones are folded together so that objects stay small.
const UPDATE_MANAGERS_MAX: usize = 10;
/// The manager that the oldest updates are folded into.
const ANCIENT: &str = "ancient-changes";
/// The manager that gets the fields of an object that was never tracked, when it is first applied to.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Who owns fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    manager: String,
    apply: bool,
    api_version: String,
    subresource: String,
}

impl Identity {
    pub(super) fn applier(kind: &Kind, manager: &str, subresource: Option<&str>) -> Self {
        Self {
            manager: manager.to_owned(),
            apply: true,
            api_version: kind.api_version(),
            subresource: subresource.unwrap_or_default().to_owned(),
        }
    }
    pub(super) fn updater(kind: &Kind, manager: &str, subresource: Option<&str>) -> Self {
        Self { apply: false, ..Self::applier(kind, manager, subresource) }
    }
    /// Whether both are one manager: an applier is the same in every version.
    fn is(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.apply == other.apply
            && self.subresource == other.subresource
            && (self.apply || self.api_version == other.api_version)
    }
    /// Returns the name as conflicts print it.
    pub(super) fn print(&self, time: Option<&str>) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.apply {
            text.push_str(&format!(" using {}", self.api_version));
            if let Some(time) = time {
                text.push_str(&format!(" at {time}"));
            }
        }
        text
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    who: Identity,
    time: Option<String>,
    fields: FieldSet,
}

impl Entry {
    fn secs(&self) -> i64 {
        self.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok()).map_or(i64::MIN, Timestamp::secs)
    }
}

/// The managers of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Managers(Vec<Entry>);

impl Managers {
    /// Reads `metadata.managedFields`.
    ///
    /// # Errors
    /// With the reason, when an entry cannot be read.
    pub(super) fn read(object: &Value) -> Result<Self, String> {
        let Some(list) = object.pointer("/metadata/managedFields").and_then(Value::as_array) else {
            return Ok(Self::default());
        };
        list.iter().map(read_entry).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the value of `metadata.managedFields`, in Kubernetes' order.
    pub(super) fn to_value(&self) -> Value {
        let mut entries: Vec<&Entry> = self.0.iter().collect();
        entries.sort_by(|a, b| {
            b.who.apply.cmp(&a.who.apply).then_with(|| a.secs().cmp(&b.secs())).then_with(|| {
                (&a.who.manager, &a.who.api_version, &a.who.subresource).cmp(&(
                    &b.who.manager,
                    &b.who.api_version,
                    &b.who.subresource,
                ))
            })
        });
        Value::Array(entries.into_iter().map(write_entry).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the fields of one manager.
    pub(super) fn fields(&self, who: &Identity) -> Option<&FieldSet> {
        self.0.iter().find(|entry| entry.who.is(who)).map(|entry| &entry.fields)
    }

    /// Returns the fields that anyone owns.
    pub(super) fn all_fields(&self) -> FieldSet {
        self.0.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.fields))
    }

    /// Credits an object that was never tracked to `before-first-apply`.
    pub(super) fn claim_untracked(&mut self, kind: &Kind, fields: FieldSet, now: Timestamp) {
        self.put(Identity::updater(kind, BEFORE_FIRST_APPLY, None), fields, Some(now));
    }

    /// Gives a manager exactly these fields; the time is kept where none is given.
    pub(super) fn put(&mut self, who: Identity, fields: FieldSet, time: Option<Timestamp>) {
        let time = time.map(|time| Time::from(time).to_string());
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.who.is(&who)) {
            *entry = Entry { who, time: time.or(entry.time.take()), fields };
        } else {
            self.0.push(Entry { who, time, fields });
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Lists the fields written by `me` that others own, as (printed manager, path).
    pub(super) fn conflicts(&self, me: &Identity, change: &Comparison) -> Vec<(String, String)> {
        let written = change.written();
        let others = self.0.iter().filter(|entry| !entry.who.is(me));
        let mut conflicts: Vec<_> = others
            .flat_map(|entry| {
                let printed = entry.who.print(None);
                entry.fields.intersection(&written).paths().into_iter().map(move |path| (printed.clone(), path))
            })
            .collect();
        conflicts.sort();
        conflicts
    }

    /// Takes from everyone but `me` the fields that `me` wrote, and from everyone the fields that are gone.
    pub(super) fn yield_to(&mut self, me: &Identity, change: &Comparison) {
        let written = change.written();
        for entry in &mut self.0 {
            if !entry.who.is(me) {
                entry.fields.remove(&written);
                entry.fields.remove(&change.removed);
            }
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Takes the fields that are gone from one manager.
    pub(super) fn drop_removed(&mut self, me: &Identity, change: &Comparison) {
        for entry in self.0.iter_mut().filter(|entry| entry.who.is(me)) {
            entry.fields.remove(&change.removed);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Folds the oldest updaters of one version into `ancient-changes` until few enough are left.
    pub(super) fn cap(&mut self) {
        loop {
            let mut updaters: Vec<usize> = (0..self.0.len()).filter(|&place| !self.0[place].who.apply).collect();
            if updaters.len() <= UPDATE_MANAGERS_MAX {
                return;
            }
            updaters.sort_by_key(|&place| (self.0[place].secs(), self.0[place].who.manager.clone()));
            let version = |place: usize| &self.0[place].who.api_version;
            let pair = updaters.iter().enumerate().find_map(|(order, &newer)| {
                updaters[..order].iter().find(|&&older| version(older) == version(newer)).map(|&older| (older, newer))
            });
            // Sets in different versions of the kind cannot be folded: their paths may mean different things.
            let Some((older, newer)) = pair else { return };
            let merged = Entry {
                who: Identity { manager: ANCIENT.to_owned(), subresource: String::new(), ..self.0[newer].who.clone() },
                time: self.0[newer].time.clone(),
                fields: self.0[older].fields.clone().union(&self.0[newer].fields),
            };
            self.0[older] = merged;
            self.0.remove(newer);
        }
    }
}

fn read_entry(value: &Value) -> Result<Entry, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let apply = match text("operation").as_str() {
        "Apply" => true,
        "Update" => false,
        other => return Err(format!("operation `{other}` is neither `Apply` nor `Update`")),
    };
    let fields_type = text("fieldsType");
    if fields_type != "FieldsV1" {
        return Err(format!("fieldsType `{fields_type}` is not `FieldsV1`"));
    }
    let nothing = Value::Object(Map::new());
    let fields = FieldSet::parse(value.get("fieldsV1").filter(|fields| !fields.is_null()).unwrap_or(&nothing))
        .map_err(|error| error.to_string())?;
    let who = Identity {
        manager: text("manager"),
        apply,
        api_version: text("apiVersion"),
        subresource: text("subresource"),
    };
    Ok(Entry { who, time: value.get("time").and_then(Value::as_str).map(str::to_owned), fields })
}

fn write_entry(entry: &Entry) -> Value {
    let mut value = json!({
        "manager": entry.who.manager,
        "operation": if entry.who.apply { "Apply" } else { "Update" },
        "apiVersion": entry.who.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.to_value(),
    });
    if let Some(time) = &entry.time {
        value["time"] = Value::String(time.clone());
    }
    if !entry.who.subresource.is_empty() {
        value["subresource"] = Value::String(entry.who.subresource.clone());
    }
    value
}
