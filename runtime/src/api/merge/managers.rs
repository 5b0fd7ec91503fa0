//! `metadata.managedFields`: who owns which fields of an object.
//!
//! Never decides about conflicts; keeps entries apart by manager, operation, version and subresource, as Kubernetes
//! does.

use std::fmt;

use serde_json::{Value, json};

use super::apply::Conflict;
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
}

/// Writes the name as conflicts print it: `"kubectl" with subresource "scale" using apps/v1`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.manager)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        if !self.apply {
            write!(f, " using {}", self.api_version)?;
        }
        Ok(())
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

    /// Returns the fields of one manager, without reading those of the others; `None` also where they are unreadable.
    pub(super) fn fields_in(object: &Value, who: &Identity) -> Option<FieldSet> {
        let entries = object.pointer("/metadata/managedFields")?.as_array()?;
        let entry = entries.iter().find(|entry| read_identity(entry).is_ok_and(|other| other.is(who)))?;
        read_entry(entry).ok().map(|entry| entry.fields)
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

    /// Lists the fields written by `me` that others own, by manager and path.
    pub(super) fn conflicts(&self, me: &Identity, change: &Comparison) -> Vec<Conflict> {
        let written = change.written();
        let mut conflicts = Vec::new();
        for entry in self.0.iter().filter(|entry| !entry.who.is(me)) {
            let manager = entry.who.to_string();
            let paths = entry.fields.intersection(&written).paths();
            conflicts.extend(paths.into_iter().map(|path| Conflict { manager: manager.clone(), path }));
        }
        conflicts.sort_by(|a, b| (&a.manager, &a.path).cmp(&(&b.manager, &b.path)));
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

fn read_identity(entry: &Value) -> Result<Identity, String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let apply = match text("operation") {
        "Apply" => true,
        "Update" => false,
        other => return Err(format!("operation `{other}` is neither `Apply` nor `Update`")),
    };
    Ok(Identity {
        manager: text("manager").to_owned(),
        apply,
        api_version: text("apiVersion").to_owned(),
        subresource: text("subresource").to_owned(),
    })
}

fn read_entry(entry: &Value) -> Result<Entry, String> {
    let who = read_identity(entry)?;
    let fields_type = entry.get("fieldsType").and_then(Value::as_str).unwrap_or_default();
    if fields_type != "FieldsV1" {
        return Err(format!("fieldsType `{fields_type}` is not `FieldsV1`"));
    }
    let fields = match entry.get("fieldsV1") {
        None | Some(Value::Null) => FieldSet::default(),
        Some(fields) => FieldSet::parse(fields).map_err(|error| error.to_string())?,
    };
    Ok(Entry { who, time: entry.get("time").and_then(Value::as_str).map(str::to_owned), fields })
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
