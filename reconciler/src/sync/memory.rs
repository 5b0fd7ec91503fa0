//! What is remembered of an Application between passes, so that a pass costs what has changed.
//!
//! Only a cache: a daemon that starts anew builds it again from Git and the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bowline_runtime::api::Key;

use crate::plan::{Checked, Desired, Problem, Resolved};
use crate::render::{Inputs, InputsHash, RenderCache};
use crate::verdict::{Health, State};

/// How many renders are kept: the applied one, the last healthy one, the newest.
const RENDERS_MAX: usize = 3;

/// What a pass remembers.
#[derive(Default)]
pub(crate) struct Memory {
    renders: VecDeque<Arc<Render>>,
    files: Files,
    /// The impact key of the render that `seen` was compared with; `None` until something was applied by this process.
    pub(crate) compared: Option<String>,
    /// What each wanted object was found to be.
    pub(crate) seen: BTreeMap<Key, Seen>,
    /// Objects that changed since.
    pub(crate) dirty: BTreeSet<Key>,
    /// Whether a Job is done and gone and the inventory does not say so yet.
    pub(crate) unrecorded: bool,
    /// The inventory of the status at a revision of the Application, parsed.
    pub(crate) inventory: Option<(u64, Arc<BTreeSet<Key>>)>,
}

/// The files and objects of the last render, for settings that shaped them.
#[derive(Default)]
pub(crate) struct Files {
    settings: String,
    pub(crate) cache: RenderCache<Checked>,
}

/// An object as it was last compared.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// What it was compared with.
    pub(crate) desired: Arc<Desired>,
    /// The revision that was as wanted; zero where that is not known.
    pub(crate) revision: u64,
    /// What that revision declares; `None` until it was asked for. A state that declares the same is as wanted, too.
    pub(crate) declared: Option<u64>,
    /// Its health then.
    pub(crate) health: Health,
}

/// What a commit renders to.
pub(crate) struct Render {
    /// The commit it was made from; equal inputs of other commits use it, too.
    pub(crate) commit: String,
    /// What distinguishes it: the hash of its objects and of the Application's own settings.
    pub(crate) key: String,
    /// The settings that entered the key.
    pub(crate) settings: String,
    /// The files it read, if it could be made.
    pub(crate) inputs: Option<(Inputs, InputsHash)>,
    /// The objects, or what is wrong with the files.
    pub(crate) result: Result<Resolved, Vec<Problem>>,
}

impl Render {
    /// Returns the wanted objects.
    pub(crate) fn desired(&self) -> &[Arc<Desired>] {
        self.result.as_ref().map_or(&[], |resolved| &resolved.objects)
    }
}

impl Memory {
    /// Finds the render of a commit, or one whose inputs are the same at that commit.
    pub(crate) fn render(
        &self,
        commit: &str,
        settings: &str,
        same: impl Fn(&Inputs, &InputsHash) -> bool,
    ) -> Option<Arc<Render>> {
        let fits = |render: &&Arc<Render>| render.settings == settings;
        let exact = self.renders.iter().filter(fits).find(|render| render.commit == commit);
        let equal = || {
            let same = |render: &&Arc<Render>| render.inputs.as_ref().is_some_and(|(inputs, hash)| same(inputs, hash));
            self.renders.iter().filter(fits).find(same)
        };
        exact.or_else(equal).cloned()
    }

    /// Finds the render with this key.
    pub(crate) fn by_key(&self, key: &str) -> Option<Arc<Render>> {
        self.renders.iter().find(|render| render.key == key).cloned()
    }

    /// Keeps a render and drops the oldest one.
    pub(crate) fn keep(&mut self, render: Arc<Render>) {
        self.renders.retain(|kept| kept.key != render.key);
        self.renders.push_front(render);
        self.renders.truncate(RENDERS_MAX);
    }

    /// Returns what was made of files under these settings before.
    pub(crate) fn files(&mut self, settings: &str) -> &mut Files {
        if self.files.settings != settings {
            self.files = Files { settings: settings.to_owned(), ..Files::default() };
        }
        &mut self.files
    }

    /// Returns the worst health with the name of the object that has it; `None` when nothing is wanted.
    pub(crate) fn worst(&self) -> Option<(&Key, &Health)> {
        self.seen
            .iter()
            .map(|(key, seen)| (key, &seen.health))
            .filter(|(_, health)| health.state > State::Suspended)
            .max_by_key(|(_, health)| health.state)
            .or_else(|| self.seen.iter().next().map(|(key, seen)| (key, &seen.health)))
    }
}
