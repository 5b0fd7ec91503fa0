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

#[derive(Clone, Debug)]
struct Entry {
    who: Identity,
    time: Option<String>,
    fields: FieldSet,
    /// Where the entry stands in the list it was read from, as long as its fields are those it has there.
    origin: Option<usize>,
}

impl Entry {
    fn take_away(&mut self, fields: &FieldSet) {
        if self.fields.remove(fields) {
            self.origin = None;
        }
    }
    fn secs(&self) -> i64 {
        self.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok()).map_or(i64::MIN, Timestamp::secs)
    }
}

/// The managers of one object. Entries that a write leaves alone are never written anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Managers {
    entries: Vec<Entry>,
    /// How many entries were read.
    read: usize,
}

impl Managers {
    /// Reads `metadata.managedFields`.
    ///
    /// # Errors
    /// With the reason, when an entry cannot be read.
    pub(super) fn read(list: &[Value]) -> Result<Self, String> {
        let read = |(place, entry)| read_entry(entry).map(|read| Entry { origin: Some(place), ..read });
        let entries = list.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { read: entries.len(), entries })
    }

    /// Whether any entry came, went or has other fields than were read. Times do not count.
    pub(super) fn changed(&self) -> bool {
        self.entries.len() != self.read || self.entries.iter().any(|entry| entry.origin.is_none())
    }

    /// Returns the value of `metadata.managedFields`, in Kubernetes' order; `list` is what the managers were read from.
    pub(super) fn write(mut self, mut list: Vec<Value>) -> Value {
        self.entries.sort_by(|a, b| {
            b.who.apply.cmp(&a.who.apply).then_with(|| a.secs().cmp(&b.secs())).then_with(|| {
                (&a.who.manager, &a.who.api_version, &a.who.subresource).cmp(&(
                    &b.who.manager,
                    &b.who.api_version,
                    &b.who.subresource,
                ))
            })
        });
        let write = |entry: Entry| match entry.origin.and_then(|place| list.get_mut(place)) {
            Some(read) => {
                let mut read = read.take();
                if let (Some(time), Some(entry)) = (entry.time, read.as_object_mut()) {
                    entry.insert("time".to_owned(), Value::String(time));
                }
                read
            }
            None => write_entry(&entry),
        };
        Value::Array(self.entries.into_iter().map(write).collect())
    }

    /// Returns the fields of one manager, without reading those of the others; `None` also where they are unreadable.
    pub(super) fn fields_in(list: &[Value], who: &Identity) -> Option<FieldSet> {
        let entry = list.iter().find(|entry| read_identity(entry).is_ok_and(|other| other.is(who)))?;
        read_entry(entry).ok().map(|entry| entry.fields)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the fields of one manager.
    pub(super) fn fields(&self, who: &Identity) -> Option<&FieldSet> {
        self.entries.iter().find(|entry| entry.who.is(who)).map(|entry| &entry.fields)
    }

    /// Returns the fields that anyone owns.
    pub(super) fn all_fields(&self) -> FieldSet {
        self.entries.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.fields))
    }

    /// Credits an object that was never tracked to `before-first-apply`.
    pub(super) fn claim_untracked(&mut self, kind: &Kind, fields: FieldSet, now: Timestamp) {
        let who = Identity::updater(kind, BEFORE_FIRST_APPLY, None);
        self.put(who.clone(), fields);
        self.touch(&who, now);
    }

    /// Gives a manager exactly these fields; an entry that has them already is left alone.
    pub(super) fn put(&mut self, who: Identity, fields: FieldSet) {
        match self.entries.iter_mut().find(|entry| entry.who.is(&who)) {
            Some(entry) if entry.fields == fields && entry.who == who => {}
            Some(entry) => *entry = Entry { who, time: entry.time.take(), fields, origin: None },
            None => self.entries.push(Entry { who, time: None, fields, origin: None }),
        }
        self.drop_empty();
    }

    /// Notes when a manager last changed something.
    pub(super) fn touch(&mut self, who: &Identity, now: Timestamp) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.who.is(who)) {
            entry.time = Some(Time::from(now).to_string());
        }
    }

    fn drop_empty(&mut self) {
        self.entries.retain(|entry| !entry.fields.is_empty());
    }

    /// Lists the fields written by `me` that others own, by manager and path.
    pub(super) fn conflicts(&self, me: &Identity, change: &Comparison) -> Vec<Conflict> {
        let written = change.written();
        let mut conflicts = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.who.is(me)) {
            let manager = entry.who.to_string();
            let paths = entry.fields.intersection(&written).paths();
            conflicts.extend(paths.into_iter().map(|path| Conflict { manager: manager.clone(), path }));
        }
        conflicts.sort_by(|a, b| (&a.manager, &a.path).cmp(&(&b.manager, &b.path)));
        conflicts
    }

    /// Takes from everyone but `me` the fields that `me` wrote and those that are gone.
    pub(super) fn yield_to(&mut self, me: &Identity, change: &Comparison) {
        let written = change.written();
        for entry in self.entries.iter_mut().filter(|entry| !entry.who.is(me)) {
            entry.take_away(&written);
            entry.take_away(&change.removed);
        }
        self.drop_empty();
    }

    /// Takes the fields that are gone from one manager.
    pub(super) fn drop_removed(&mut self, me: &Identity, change: &Comparison) {
        for entry in self.entries.iter_mut().filter(|entry| entry.who.is(me)) {
            entry.take_away(&change.removed);
        }
        self.drop_empty();
    }

    /// Folds the oldest updaters of one version into `ancient-changes` until few enough are left.
    pub(super) fn cap(&mut self) {
        loop {
            let mut updaters: Vec<usize> =
                (0..self.entries.len()).filter(|&place| !self.entries[place].who.apply).collect();
            if updaters.len() <= UPDATE_MANAGERS_MAX {
                return;
            }
            updaters.sort_by_key(|&place| (self.entries[place].secs(), self.entries[place].who.manager.clone()));
            let version = |place: usize| &self.entries[place].who.api_version;
            let pair = updaters.iter().enumerate().find_map(|(order, &newer)| {
                updaters[..order].iter().find(|&&older| version(older) == version(newer)).map(|&older| (older, newer))
            });
            // Sets in different versions of the kind cannot be folded: their paths may mean different things.
            let Some((older, newer)) = pair else { return };
            let merged = Entry {
                who: Identity {
                    manager: ANCIENT.to_owned(),
                    subresource: String::new(),
                    ..self.entries[newer].who.clone()
                },
                time: self.entries[newer].time.clone(),
                fields: self.entries[older].fields.clone().union(&self.entries[newer].fields),
                origin: None,
            };
            self.entries[older] = merged;
            self.entries.remove(newer);
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
    Ok(Entry { who, time: entry.get("time").and_then(Value::as_str).map(str::to_owned), fields, origin: None })
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
