//! Repository, store, clock and pretended controllers of one test.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bowline_runtime::api::kinds::{self, Application, ApplicationStatus, GitRepository, Namespace};
use bowline_runtime::api::{Key, Kind, Timestamp, validate};
use bowline_runtime::store::objects::{Applier, Objects, WriteOptions};
use bowline_runtime::store::{Event, Op, Precondition, Store, Txn, WatchFilter, Watcher};
use serde_json::{Value, json};

use super::super::index::Index;
use super::super::queue::Queue;
use super::super::{Config, ROOT, SYSTEM_NAMESPACE, Shared, dispatch, follow, pass};

/// How often a world may turn before it must rest: a loop of passes is a mistake.
const TURNS_MAX: usize = 200;

/// What becomes of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It does what it should.
    Well,
    /// It gets nowhere.
    Stuck,
    /// It fails for good.
    Fails,
}

pub(super) struct World {
    pub(super) shared: Shared,
    pub(super) store: Store,
    pub(super) repository: git2::Repository,
    /// What happened to objects other than Applications and GitRepositories, in order: `create configmaps a`.
    pub(super) log: Vec<String>,
    pub(super) fates: BTreeMap<String, Fate>,
    /// Whether each round is made by a daemon that has just started.
    pub(super) forgetful: bool,
    config: Config,
    clock: Arc<AtomicI64>,
    watcher: Watcher,
    index: Index,
    queue: Queue,
    directory: tempfile::TempDir,
}

impl World {
    /// Returns a world whose root Application reads the whole repository.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config");
        let repository = git2::Repository::init(&path).expect("a repository");
        let clock = Arc::new(AtomicI64::new(1_767_225_600));
        let store = Store::memory();
        let config = config(&store, &clock, directory.path());
        let watcher = store.watch(Some(0), WatchFilter::all()).expect("a watch");
        let mut world = Self {
            shared: Shared::new(config.clone()),
            store,
            repository,
            log: Vec::new(),
            fates: BTreeMap::new(),
            forgetful: false,
            config,
            clock,
            watcher,
            index: Index::default(),
            queue: Queue::default(),
            directory,
        };
        for namespace in ["default", SYSTEM_NAMESPACE] {
            world.apply(Namespace::kind(), json!({"metadata": {"name": namespace}}));
        }
        world.commit(files);
        let metadata = json!({"name": ROOT, "namespace": SYSTEM_NAMESPACE});
        world.apply(GitRepository::kind(), json!({"metadata": metadata, "spec": {"url": path}}));
        world.apply(Application::kind(), json!({"metadata": metadata, "spec": {"source": {"name": ROOT}}}));
        world
    }

    /// Writes an object as a person would.
    pub(super) fn apply(&mut self, kind: &'static Kind, mut value: Value) {
        value["apiVersion"] = kind.api_version().into();
        value["kind"] = kind.kind.into();
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let objects = self.objects();
        let applier = Applier { manager: "person", force: true };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let options = WriteOptions::default();
        let write = objects.apply(kind, &namespace, &name, value, applier, None, &options);
        runtime.block_on(write).expect("the write is accepted");
    }

    pub(super) fn objects(&self) -> Objects {
        let config = &self.config;
        Objects::new(config.store.clone(), config.kinds.clone(), config.clock.clone(), config.entropy.clone())
    }

    /// Changes a live object behind the daemon's back.
    pub(super) fn edit(&self, key: &Key, change: impl FnOnce(&mut Value)) {
        let snapshot = self.store.snapshot();
        let mut value = Value::clone(&snapshot.get(key).unwrap_or_else(|| panic!("no {key}")).value());
        let spec = value.get("spec").cloned();
        change(&mut value);
        if spec != value.get("spec").cloned()
            && let Some(generation) = value["metadata"]["generation"].as_i64()
        {
            value["metadata"]["generation"] = (generation + 1).into();
        }
        let op = Op::put(key.clone(), Precondition::Exists, value);
        self.store.commit(Txn::one(op)).expect("the edit is accepted");
    }

    pub(super) fn delete(&self, key: &Key) {
        self.store.commit(Txn::one(Op::delete(key.clone(), Precondition::Exists))).expect("it goes");
    }

    /// Commits files on top of what there is; an empty text removes one. Returns the commit.
    pub(super) fn commit(&mut self, files: &[(&str, &str)]) -> String {
        let root = self.repository.workdir().expect("a work tree").to_owned();
        for (path, text) in files {
            let file = root.join(path);
            if text.is_empty() {
                std::fs::remove_file(file).expect("the file goes");
            } else {
                std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).expect("a directory");
                std::fs::write(file, text).expect("the file is written");
            }
        }
        let mut index = self.repository.index().expect("an index");
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("files are added");
        index.update_all(["*"], None).expect("files are removed");
        index.write().expect("the index is written");
        let tree = self.repository.find_tree(index.write_tree().expect("a tree")).expect("the tree");
        let time = git2::Time::new(self.clock.load(Ordering::Relaxed), 0);
        let who = git2::Signature::new("Ann", "ann@example.org", &time).expect("a signature");
        let parent = self.repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        self.pass_time(1);
        let id = self.repository.commit(Some("HEAD"), &who, &who, "change", &tree, &parents).expect("a commit");
        id.to_string()
    }

    pub(super) fn pass_time(&self, secs: i64) {
        self.clock.fetch_add(secs, Ordering::Relaxed);
    }

    /// Starts the daemon anew: nothing is remembered.
    pub(super) fn restart(&mut self) {
        self.shared = Shared::new(self.config.clone());
        self.index = Index::default();
        self.queue = Queue::default();
        for stored in self.store.snapshot().list(&Application::kind().resource()) {
            self.index.put(stored);
            self.queue.add(stored.key().clone());
        }
    }

    /// Reads the repositories, then turns until nothing moves.
    pub(super) fn settle(&mut self) {
        self.fetch();
        for _ in 0..TURNS_MAX {
            self.notice();
            self.queue.wake(self.shared.now());
            let before = self.store.revision();
            let keys: Vec<Key> = std::iter::from_fn(|| self.queue.take()).collect();
            let idle = keys.is_empty() || self.forgetful;
            for key in keys {
                self.turn(key);
            }
            self.control();
            if idle && self.store.revision() == before {
                return;
            }
        }
        panic!("the passes do not come to rest: {:?}", self.log);
    }

    /// Makes a whole pass, or, by a daemon that starts for it and ends after it, one write.
    fn turn(&mut self, key: Key) {
        if self.forgetful {
            let before = self.store.revision();
            loop {
                let outcome = pass::turn(&self.shared, &key);
                assert!(outcome.is_ok(), "{key}: {outcome:?}");
                if matches!(outcome, Ok(pass::Outcome::Rest(_))) || self.store.revision() != before {
                    break;
                }
            }
            self.notice();
            self.restart();
        } else {
            let outcome = pass::run(&self.shared, &key);
            assert!(outcome.is_ok(), "{key}: {outcome:?}");
            self.queue.done(key, outcome, self.shared.now());
            self.notice();
        }
        self.check_statuses();
    }

    pub(super) fn fetch(&mut self) {
        let keys: Vec<Key> =
            self.store.snapshot().list(&GitRepository::kind().resource()).map(|stored| stored.key().clone()).collect();
        for key in keys {
            follow::fetch(&self.shared, &key);
        }
    }

    /// Tells the queue what happened.
    fn notice(&mut self) {
        while let Ok(Some(event)) = self.watcher.try_next() {
            self.note(&event);
            dispatch::note(&self.shared, &event, &mut self.index, &mut self.queue);
        }
    }

    fn note(&mut self, event: &Event) {
        let key = event.key();
        let own = ["applications.bowline.dev", "gitrepositories.bowline.dev"].contains(&&*key.resource);
        let status_only = event.old().is_some_and(|old| {
            let facts = |value: &Value| {
                (
                    value.get("spec").cloned(),
                    value.get("data").cloned(),
                    value["metadata"]["annotations"].clone(),
                    value["metadata"]["labels"].clone(),
                )
            };
            facts(&old.value()) == facts(&event.object().value())
        });
        if own || status_only {
            return;
        }
        let verb = match (event.is_delete(), event.old()) {
            (true, _) => "delete",
            (_, None) => "create",
            _ => "update",
        };
        self.log.push(format!("{verb} {} {}", key.resource, key.name));
    }

    /// Returns and forgets what happened.
    pub(super) fn happened(&mut self) -> Vec<String> {
        self.notice();
        std::mem::take(&mut self.log)
    }

    /// Lets workloads meet their fate.
    fn control(&mut self) {
        let snapshot = self.store.snapshot();
        for stored in snapshot.list("deployments.apps").chain(snapshot.list("jobs.batch")) {
            let fate = self.fates.get(&*stored.key().name).copied().unwrap_or(Fate::Well);
            let mut value = Value::clone(&stored.value());
            let generation = value["metadata"]["generation"].clone();
            if value["status"]["observedGeneration"] == generation && value["status"]["fate"] == format!("{fate:?}") {
                continue;
            }
            let at = self.shared.now().whole_secs().to_string();
            let condition = |kind: &str, status: &str, reason: &str, message: &str| json!([{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}]);
            let mut status = match (&*stored.key().resource, fate) {
                ("jobs.batch", Fate::Well) => {
                    json!({"succeeded": 1, "conditions": condition("Complete", "True", "", "")})
                }
                ("jobs.batch", Fate::Fails) => {
                    json!({"failed": 1, "conditions": condition("Failed", "True", "BackoffLimitExceeded", "it failed")})
                }
                ("jobs.batch", Fate::Stuck) => json!({"active": 1}),
                (_, Fate::Well) => json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
                (_, Fate::Stuck) => json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 0}),
                (_, Fate::Fails) => json!({"replicas": 2, "updatedReplicas": 1,
                    "conditions": condition("Progressing", "False", "ProgressDeadlineExceeded", "no progress")}),
            };
            status["observedGeneration"] = generation;
            status["fate"] = format!("{fate:?}").into();
            value["status"] = status;
            let op = Op::put(stored.key().clone(), Precondition::Any, value);
            self.store.commit(Txn::one(op)).expect("a status is accepted");
        }
    }

    /// Every status that was written is one that its kind allows.
    fn check_statuses(&self) {
        for stored in self.store.snapshot().list(&Application::kind().resource()) {
            let errors = validate::object(Application::kind(), &stored.value());
            assert!(errors.is_empty(), "{}: {errors:?}", stored.key());
        }
    }

    pub(super) fn status(&self, name: &str) -> ApplicationStatus {
        let application = self.store.snapshot().typed_get::<Application>(SYSTEM_NAMESPACE, name);
        application.unwrap_or_else(|| panic!("no application {name}")).status.clone().unwrap_or_default()
    }

    /// Returns a condition of the root Application as `status reason: message`.
    pub(super) fn condition(&self, kind: &str) -> String {
        self.condition_of(ROOT, kind)
    }

    pub(super) fn condition_of(&self, name: &str, kind: &str) -> String {
        let status = self.status(name);
        let found = status.conditions.iter().find(|condition| condition.type_ == kind);
        let found = found.unwrap_or_else(|| panic!("no condition {kind}: {:?}", status.conditions));
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        format!("{} {}: {}", found.status, text(&found.reason), text(&found.message))
    }

    /// Returns the short commits of the root Application: seen, applied, healthy, rejected.
    #[track_caller]
    pub(super) fn expect(&self, seen: &str, applied: &str, healthy: &str, rejected: &str) {
        let revision = self.status(ROOT).revision.unwrap_or_default();
        let found =
            [revision.seen, revision.applied, revision.healthy, revision.rejected.map(|rejected| rejected.commit)];
        let expected = [seen, applied, healthy, rejected].map(|text| (!text.is_empty()).then(|| text.to_owned()));
        assert_eq!(found, expected, "seen, applied, healthy, rejected; {}", self.condition("Ready"));
    }

    pub(super) fn annotate(&self, application: &str, name: &str, value: &str) {
        self.edit(&Application::kind().key(SYSTEM_NAMESPACE, application), |object| {
            object["metadata"]["annotations"][name] = value.into();
        });
    }

    pub(super) fn live(&self, resource: &str, name: &str) -> Option<Value> {
        let snapshot = self.store.snapshot();
        snapshot.get(&key(resource, name)).map(|stored| Value::clone(&stored.value()))
    }

    /// Returns everything that is stored as one text, to search it for what must not be there.
    pub(super) fn everything_about(&self, resource: &str) -> String {
        self.store.snapshot().list(resource).map(|stored| stored.value().to_string()).collect()
    }

    pub(super) fn repository_path(&self) -> std::path::PathBuf {
        self.directory.path().join("config")
    }
}

/// Returns the key of an object in the namespace `default`.
pub(super) fn key(resource: &str, name: &str) -> Key {
    let namespace = if resource == "namespaces" { "" } else { "default" };
    Key { resource: resource.into(), namespace: namespace.into(), name: name.into() }
}

fn config(store: &Store, clock: &Arc<AtomicI64>, directory: &Path) -> Config {
    let (clock, chance) = (clock.clone(), Arc::new(AtomicU64::new(1)));
    Config {
        store: store.clone(),
        kinds: kinds::builtin(),
        cache: directory.join("cache"),
        clock: Arc::new(move || Timestamp::from_secs(clock.load(Ordering::Relaxed)) + Duration::from_millis(5)),
        entropy: Arc::new(move || {
            u128::from(chance.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        }),
    }
}
