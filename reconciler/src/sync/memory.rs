//! What is remembered of an Application between passes, so that a pass costs what has changed.
//!
//! Only a cache: a daemon that starts anew builds it again from Git and the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bowline_runtime::api::Key;

use crate::plan::{Desired, Problem, Resolved};
use crate::render::{Inputs, InputsHash};
use crate::verdict::{Health, State};

/// How many renders are kept: the applied one, the last healthy one, the newest.
const RENDERS_MAX: usize = 3;

/// What a pass remembers.
#[derive(Default)]
pub(crate) struct Memory {
    renders: VecDeque<Arc<Render>>,
    /// The impact key of the render that `seen` was compared with; `None` until something was applied by this process.
    pub(crate) compared: Option<String>,
    /// What each wanted object was found to be.
    pub(crate) seen: BTreeMap<Key, Seen>,
    /// Objects that changed since.
    pub(crate) dirty: BTreeSet<Key>,
}

/// An object as it was last compared.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The revision that was as wanted.
    pub(crate) revision: u64,
    /// Its health then.
    pub(crate) health: Health,
}

/// What a commit renders to.
pub(crate) struct Render {
    /// The commit it was made from; equal inputs of other commits use it, too.
    pub(crate) commit: String,
    /// What distinguishes it: the hash of its inputs and of the Application's own settings.
    pub(crate) key: String,
    /// The settings that entered the key.
    pub(crate) settings: String,
    /// The files it read, if it could be made.
    pub(crate) inputs: Option<(Inputs, InputsHash)>,
    /// The objects, or what is wrong with the files.
    pub(crate) result: Result<Resolved, Vec<Problem>>,
}

impl Render {
    /// Finds a wanted object.
    pub(crate) fn desired(&self) -> &[Desired] {
        self.result.as_ref().map_or(&[], |resolved| &resolved.objects)
    }
}

impl Memory {
    /// Finds the render of a commit, or one whose inputs are the same at that commit.
    pub(crate) fn render(&self, commit: &str, settings: &str, same: impl Fn(&Inputs, &InputsHash) -> bool) -> Option<Arc<Render>> {
        let fits = |render: &&Arc<Render>| {
            render.settings == settings
                && (render.commit == commit
                    || render.inputs.as_ref().is_some_and(|(inputs, hash)| same(inputs, hash)))
        };
        self.renders.iter().find(fits).cloned()
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
