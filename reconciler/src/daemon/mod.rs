//! The daemon of one state directory: store, controllers, node agent, syncing side and API, put together.
//!
//! Decides nothing itself. Owns every task of the process; when it is dropped they end, and the pods go on.

mod admin;
mod streams;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use bowline_runtime::api::kinds::{self, Application, GitRepository, Namespace};
use bowline_runtime::api::{Kind, Timestamp};
use bowline_runtime::control;
use bowline_runtime::host::agent::{self, Agent};
use bowline_runtime::host::engine::{Engine, EngineDirs};
use bowline_runtime::host::image::ImageStore;
use bowline_runtime::host::zygote::Zygote;
use bowline_runtime::store::objects::{Applier, Clock, Entropy, Objects, PatchKind, Selectors, WriteOptions};
use bowline_runtime::store::{Options, Store};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::cli::SOCKET;
use crate::server::{self, ServerState};
use crate::source::GitRef;
use crate::sync::{self, REQUESTED_AT, ROOT, SYSTEM_NAMESPACE, Sync};

/// How often it is looked whether a burst of writes is over.
const REST_EVERY: Duration = Duration::from_secs(5);
/// So many changes are a burst, after which memory is given back to the kernel.
const BURST: u64 = 500;
/// How often old revisions are dropped from the store.
const COMPACT_EVERY: Duration = Duration::from_secs(300);
/// The field manager of what `bowline up` writes.
const MANAGER: &str = "bowline-up";

/// Which repository this host follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Absolute path or URL.
    pub url: String,
    /// What to follow; the default branch if `None`.
    pub reference: Option<GitRef>,
    /// The directory that says what this host runs.
    pub path: String,
}

/// The running daemon.
pub struct Daemon {
    store: Store,
    objects: Objects,
    agent: Arc<Agent>,
    controllers: Option<control::Running>,
    sync: Option<Sync>,
    tasks: Vec<JoinHandle<()>>,
    socket: PathBuf,
    downed: tokio::sync::watch::Receiver<bool>,
}

impl Daemon {
    /// Starts everything on a state directory, adopting the pods that run.
    ///
    /// # Errors
    /// The directory cannot be used, another daemon uses it, or its store cannot be read.
    pub async fn start(state_dir: &Path, zygote: Zygote) -> anyhow::Result<Self> {
        let dirs = Dirs::make(state_dir)?;
        let clock: Clock = Arc::new(|| Timestamp::from_system(SystemTime::now()));
        let entropy: Entropy = Arc::new(rand::random::<u128>);
        let store = Store::open(&dirs.store, Options::default())
            .with_context(|| format!("cannot open the store of `{}`", state_dir.display()))?;
        let images = ImageStore::open(&dirs.images)
            .with_context(|| format!("cannot open the images of `{}`", state_dir.display()))?;
        let engine = Engine::new(zygote, dirs.engine(), &dirs.instance).context("cannot start the pod engine")?;
        let kinds = kinds::builtin();
        let objects = Objects::new(store.clone(), kinds.clone(), clock.clone(), entropy.clone());
        for namespace in ["default", SYSTEM_NAMESPACE] {
            ensure_namespace(&objects, namespace).await?;
        }
        let agent = Agent::start(agent::Config {
            node_name: agent::node_facts().hostname,
            store: store.clone(),
            engine,
            images: images.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            logs: dirs.logs.clone(),
            volumes: dirs.volumes.clone(),
            secrets: dirs.secrets.clone(),
        })
        .await
        .context("cannot adopt the running pods")?;
        let controllers = control::run(control::Setup {
            store: store.clone(),
            kinds: kinds.clone(),
            controllers: control::builtin(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let config =
            sync::Config { store: store.clone(), kinds, cache: dirs.git.clone(), clock: clock.clone(), entropy };
        let socket = state_dir.join(SOCKET);
        let listener = server::bind(&socket)?;
        let (down, downed) = tokio::sync::watch::channel(false);
        let admin = Arc::new(admin::DaemonAdmin::new(objects.clone(), images, agent.clone(), down));
        let streams = Arc::new(streams::AgentStreams::new(agent.clone()));
        let serving = server::serve(listener, ServerState { objects: objects.clone(), pods: streams, admin });
        let tasks = vec![serving, tokio::spawn(compact(store.clone(), clock)), tokio::spawn(rest(store.clone()))];
        let sync = Some(Sync::start(config));
        Ok(Self { store, objects, agent, controllers: Some(controllers), sync, tasks, socket, downed })
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the node's name.
    pub fn node_name(&self) -> &str {
        self.agent.node_name()
    }

    /// Makes this host follow a repository: writes the root GitRepository and Application.
    ///
    /// # Errors
    /// The store does not take them.
    pub async fn follow(&self, repository: &Repository) -> anyhow::Result<()> {
        let reference = match &repository.reference {
            None | Some(GitRef::Head) => json!({}),
            Some(GitRef::Branch(name)) => json!({ "branch": name }),
            Some(GitRef::Tag(name)) => json!({ "tag": name }),
            Some(GitRef::Named(name)) => json!({ "name": name }),
            Some(GitRef::Commit(id)) => json!({ "commit": id.to_string() }),
        };
        let source = json!({
            "apiVersion": GitRepository::kind().api_version(),
            "kind": "GitRepository",
            "metadata": {"name": ROOT, "namespace": SYSTEM_NAMESPACE},
            "spec": {"url": repository.url, "ref": reference},
        });
        let application = json!({
            "apiVersion": Application::kind().api_version(),
            "kind": "Application",
            "metadata": {"name": ROOT, "namespace": SYSTEM_NAMESPACE},
            "spec": {"source": {"name": ROOT}, "path": repository.path},
        });
        for (kind, value) in [(GitRepository::kind(), source), (Application::kind(), application)] {
            apply(&self.objects, kind, value).await?;
        }
        Ok(())
    }

    /// Asks every GitRepository to look for commits now; returns what its status shows once it has.
    ///
    /// # Errors
    /// The store does not take the request.
    pub async fn request_fetch(&self) -> anyhow::Result<()> {
        let stamp = self.objects.now().micros().to_string();
        let patch = json!({"metadata": {"annotations": {REQUESTED_AT: stamp}}});
        let kind = GitRepository::kind();
        for stored in self.objects.list(kind, None, &Selectors::default()).items {
            let key = stored.key();
            let options = WriteOptions { manager: MANAGER.to_owned(), ..WriteOptions::default() };
            self.objects
                .patch(kind, &key.namespace, &key.name, PatchKind::Merge, &patch, None, &options)
                .await
                .with_context(|| format!("cannot ask the GitRepository `{}` for commits", key.name))?;
        }
        Ok(())
    }

    /// Whether every GitRepository has looked for commits since it was last asked to.
    ///
    /// # Errors
    /// Why one of them could not be read.
    pub fn fetched(&self) -> anyhow::Result<bool> {
        for source in self.store.snapshot().typed_list::<GitRepository>() {
            let status = source.status.clone().unwrap_or_default();
            if source.spec.suspend == Some(true) {
                continue;
            }
            // Somebody else may have asked since: what matters is that the last request was handled. One that came up
            // later than the requests has been looked at once its generation has.
            let asked = source.metadata.annotations.get(REQUESTED_AT);
            if status.last_handled_reconcile_at.as_ref() != asked
                || status.observed_generation != source.metadata.generation
            {
                return Ok(false);
            }
            let failed =
                status.conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == "False");
            if let Some(condition) = failed {
                anyhow::bail!("{}", condition.message.as_deref().unwrap_or("the source cannot be read"));
            }
        }
        Ok(true)
    }

    /// Resolves when the daemon cannot go on or was told to end: an error if the store failed.
    ///
    /// # Errors
    /// The store takes no more writes.
    pub async fn ended(&self) -> anyhow::Result<()> {
        let mut downed = self.downed.clone();
        tokio::select! {
            cause = self.store.poisoned() => anyhow::bail!("the store failed and takes no more writes: {cause}; start again"),
            Ok(_) = downed.wait_for(|down| *down) => Ok(()),
        }
    }

    /// Ends every task; the pods go on.
    pub async fn shutdown(mut self) {
        self.sync.take();
        if let Some(controllers) = self.controllers.take() {
            controllers.stop().await;
        }
        self.agent.stop();
        self.tasks.iter().for_each(JoinHandle::abort);
        let _gone = std::fs::remove_file(&self.socket);
    }
}

/// Stops and removes every pod of a state directory whose daemon does not run; returns how many there were.
///
/// # Errors
/// Something of a pod cannot be removed.
pub async fn remove_instance(state_dir: &Path) -> anyhow::Result<u64> {
    let dirs = Dirs::of(state_dir)?;
    let pods = std::fs::read_dir(&dirs.pods).map_or(0, |entries| entries.flatten().count());
    Engine::remove_instance(&dirs.engine(), &dirs.instance).await.context("cannot remove the pods")?;
    for dir in [dirs.volumes.as_path(), dirs.secrets.parent().unwrap_or(&dirs.secrets)] {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove `{}`", dir.display()));
            }
            _ => {}
        }
    }
    // The directories above hold nothing else; another instance's keeps the upper one.
    for dir in dirs.secrets.ancestors().skip(1).take(2) {
        let _in_use_or_gone = std::fs::remove_dir(dir);
    }
    Ok(u64::try_from(pods).unwrap_or(u64::MAX))
}

/// Refuses a directory that is something else's: its mode is going to be changed to 0700, which would lock others out
/// of `/tmp` or `/home`.
fn claim(state_dir: &Path) -> anyhow::Result<()> {
    let Ok(found) = std::fs::metadata(state_dir) else { return Ok(()) };
    let shared = found.permissions().mode() & 0o077 != 0;
    let own = state_dir.join("store.db").exists();
    if shared && !own && std::fs::read_dir(state_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        anyhow::bail!(
            "`{}` holds files that are not bowline's: name an empty or new `--state-dir`",
            state_dir.display()
        );
    }
    Ok(())
}

/// The directories of an instance.
struct Dirs {
    instance: String,
    store: PathBuf,
    images: PathBuf,
    git: PathBuf,
    pods: PathBuf,
    logs: PathBuf,
    volumes: PathBuf,
    secrets: PathBuf,
}

impl Dirs {
    /// Names the directories below a state directory. The instance's name follows from its path, so that several
    /// instances on a host never meet.
    fn of(state_dir: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(state_dir).with_context(|| format!("cannot use `{}`", state_dir.display()))?;
        let root = root.canonicalize().unwrap_or(root);
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let instance: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            store: root.join("store.db"),
            images: root.join("images"),
            git: root.join("git"),
            pods: root.join("pods"),
            logs: root.join("logs"),
            volumes: root.join("volumes"),
            secrets: Path::new("/run/bowline").join(&instance).join("secrets"),
            instance,
        })
    }

    fn make(state_dir: &Path) -> anyhow::Result<Self> {
        let private = |dir: &Path| {
            std::fs::create_dir_all(dir)
                .and_then(|()| std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)))
                .with_context(|| format!("cannot make the directory `{}`", dir.display()))
        };
        claim(state_dir)?;
        private(state_dir)?;
        let dirs = Self::of(state_dir)?;
        for dir in [&dirs.images, &dirs.git, &dirs.pods, &dirs.logs, &dirs.volumes, &dirs.secrets] {
            private(dir)?;
        }
        Ok(dirs)
    }

    fn engine(&self) -> EngineDirs {
        EngineDirs { pods: self.pods.clone() }
    }
}

async fn ensure_namespace(objects: &Objects, name: &str) -> anyhow::Result<()> {
    if objects.get(Namespace::kind(), "", name).is_ok() {
        return Ok(());
    }
    let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    apply(objects, Namespace::kind(), value).await
}

async fn apply(objects: &Objects, kind: &'static Kind, value: Value) -> anyhow::Result<()> {
    let namespace = value["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let applier = Applier { manager: MANAGER, force: true };
    objects
        .apply(kind, &namespace, &name, value, applier, None, &WriteOptions::default())
        .await
        .with_context(|| format!("cannot write the {} `{name}`", kind.kind))?;
    Ok(())
}

/// Gives memory back once a burst of work is over.
async fn rest(store: Store) {
    let (mut before, mut given_back) = (store.revision(), store.revision());
    loop {
        tokio::time::sleep(REST_EVERY).await;
        let now = store.revision();
        if now - before < BURST / 10 && now - given_back > BURST {
            let _ended = tokio::task::spawn_blocking(bowline_runtime::host::sys::heap::give_back).await;
            given_back = now;
        }
        before = now;
    }
}

async fn compact(store: Store, clock: Clock) {
    loop {
        tokio::time::sleep(COMPACT_EVERY).await;
        let (store, now) = (store.clone(), clock());
        let done = tokio::task::spawn_blocking(move || store.compact(now)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "old revisions stay in the store for now");
        }
    }
}
