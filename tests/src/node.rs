//! A node that the conformance cases share: one daemon, a namespace a case, and a count of what each leaves behind.
//!
//! Responsible for: starting the built program once for all cases that run at the same time, creating objects through
//! its API, waiting for what becomes of them, and showing at the end of a case that nothing of its pods is left in the
//! kernel. When the last case has ended the instance is taken down and counted as a whole.
//!
//! Must never: touch another instance, or wait without a deadline.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;

use crate::api;
use crate::host::{Host, Ran, wait_for};

/// The image of the host's own programs.
pub const HOST_IMAGE: &str = "host.bowline.dev/rootfs";

/// The node that runs now, if one does.
static SHARED: Mutex<Weak<Node>> = Mutex::new(Weak::new());

/// A daemon without a repository.
#[derive(Debug)]
pub struct Node {
    host: Host,
    /// Open files of the daemon before the first case.
    files: usize,
}

impl Node {
    /// Returns the node that cases share, started if there is none. `None` without root, after saying so.
    fn shared() -> Option<Arc<Self>> {
        // A case that failed while it started the node left no half-made one behind.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = shared.upgrade() {
            return Some(node);
        }
        let mut host = Host::new()?;
        host.up_with(&[]);
        let files = open_files(host.pid());
        let node = Arc::new(Self { host, files });
        *shared = Arc::downgrade(&node);
        Some(node)
    }

    /// The daemon's instance.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // What a connection or a write of the last moment holds is let go of soon.
        let most = self.files + 8;
        let pid = self.host.pid();
        wait_for("the daemon has closed the files of pods that are gone", || (open_files(pid) <= most).then_some(()));
        self.host.down();
        let left = self.host.census();
        assert!(left.is_empty(), "left behind:\n{left}");
    }
}

fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// The namespace of one case. Dropping it deletes its pods and shows that nothing of them is left.
#[derive(Debug)]
pub struct Case {
    node: Arc<Node>,
    name: String,
    /// The uids of the pods that were created, by which what is left of them is found.
    uids: Mutex<Vec<String>>,
}

impl Case {
    /// Opens the case of that name, a DNS label that no other case has. `None` without root, after saying so.
    #[track_caller]
    pub fn open(name: &str) -> Option<Self> {
        let node = Node::shared()?;
        let case = Self { node, name: name.to_owned(), uids: Mutex::default() };
        let manifest = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
        case.post("/api/v1/namespaces", &manifest).expect("the namespace is created");
        Some(case)
    }

    /// The case's namespace.
    pub fn namespace(&self) -> &str {
        &self.name
    }

    /// The daemon's instance.
    pub fn host(&self) -> &Host {
        self.node.host()
    }

    /// Returns a fresh directory of the case on the host, gone with the node.
    #[track_caller]
    pub fn scratch(&self) -> PathBuf {
        let dir = self.host().scratch().join("cases").join(&self.name);
        fs::create_dir_all(&dir).expect("a directory");
        dir
    }

    /// Creates a pod from the YAML of its specification; `image` and `name: main` are given to containers without.
    #[track_caller]
    pub fn pod(&self, name: &str, spec: &str) -> Value {
        self.pod_with(name, "{}", spec)
    }

    /// Creates a pod with metadata besides its name, such as labels, as YAML in one line.
    #[track_caller]
    pub fn pod_with(&self, name: &str, metadata: &str, spec: &str) -> Value {
        self.try_pod(name, metadata, spec).unwrap_or_else(|status| panic!("pod {name} is refused: {status}"))
    }

    /// Creates a pod, or returns why the API refuses it.
    ///
    /// # Errors
    /// The `Status` that was answered.
    pub fn try_pod(&self, name: &str, metadata: &str, spec: &str) -> Result<Value, Value> {
        let manifest: String = format!("apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec:\n")
            + &spec.lines().map(|line| format!("  {line}\n")).collect::<String>();
        let mut pod: Value = to_json(&manifest);
        pod["metadata"]["name"] = name.into();
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if container["image"].is_null() {
                    container["image"] = HOST_IMAGE.into();
                }
                if container["name"].is_null() {
                    container["name"] = "main".into();
                }
            }
        }
        let created = self.post(&format!("/api/v1/namespaces/{}/pods", self.name), &pod.to_string())?;
        self.uids().push(created["metadata"]["uid"].as_str().expect("a uid").to_owned());
        Ok(created)
    }

    fn uids(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.uids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates an object of the case's namespace from YAML or JSON, at a path below it such as `configmaps`.
    #[track_caller]
    pub fn create(&self, resource: &str, manifest: &str) -> Value {
        let path = format!("/api/v1/namespaces/{}/{resource}", self.name);
        self.post(&path, manifest).unwrap_or_else(|status| panic!("{resource} is refused: {status}"))
    }

    /// Creates an object at any path of the API.
    ///
    /// # Errors
    /// The `Status` that was answered.
    pub fn post(&self, path: &str, manifest: &str) -> Result<Value, Value> {
        let (code, answer) =
            api::send(&self.host().socket(), "POST", path, "application/yaml", manifest).expect("the daemon answers");
        if code == 201 { Ok(answer) } else { Err(answer) }
    }

    /// Merges a change (`application/merge-patch+json`) into an object of the case's namespace, for example of
    /// `pods/web` or its `pods/web/status`.
    #[track_caller]
    pub fn patch(&self, object: &str, change: &Value) -> Value {
        let path = format!("/api/v1/namespaces/{}/{object}", self.name);
        let kind = "application/merge-patch+json";
        let (code, answer) =
            api::send(&self.host().socket(), "PATCH", &path, kind, &change.to_string()).expect("the daemon answers");
        assert_eq!(code, 200, "{object}: {answer}");
        answer
    }

    /// Deletes an object of the case's namespace, with a grace of its own if one is given, and does not wait.
    #[track_caller]
    pub fn delete(&self, object: &str, grace: Option<u32>) {
        let query = grace.map_or_else(String::new, |grace| format!("?gracePeriodSeconds={grace}"));
        let path = format!("/api/v1/namespaces/{}/{object}{query}", self.name);
        let (code, answer) =
            api::send(&self.host().socket(), "DELETE", &path, "application/json", "").expect("the daemon answers");
        assert!(matches!(code, 200 | 202), "{object}: {answer}");
    }

    /// Reads an object of the case's namespace, for example `pods/web`.
    pub fn get(&self, object: &str) -> Option<Value> {
        self.host().get(&format!("/api/v1/namespaces/{}/{object}", self.name))
    }

    /// Waits until a pod is as wanted and returns it.
    #[track_caller]
    pub fn wait(&self, pod: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(&format!("pod {pod}: {what}"), || {
                last = self.get(&format!("pods/{pod}"))?;
                wanted(&last).then(|| last.clone())
            })
        }));
        asked.unwrap_or_else(|panic| {
            println!("the last of pod {pod}: {last:#}\nits events: {}", self.events(pod).join("\n"));
            std::panic::resume_unwind(panic)
        })
    }

    /// Waits until a pod is ready.
    #[track_caller]
    pub fn ready(&self, pod: &str) -> Value {
        self.wait(pod, "it is ready", crate::host::is_ready)
    }

    /// Waits until a pod has ended, and returns it.
    #[track_caller]
    pub fn ended(&self, pod: &str) -> Value {
        self.wait(pod, "it has ended", |pod| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
    }

    /// Waits until a pod is gone from the API.
    #[track_caller]
    pub fn gone(&self, pod: &str) {
        wait_for(&format!("pod {pod} is gone"), || self.get(&format!("pods/{pod}")).is_none().then_some(()));
    }

    /// Runs a pod's only container to its end and returns what it printed; the pod has to succeed.
    #[track_caller]
    pub fn output(&self, name: &str, spec: &str) -> String {
        self.pod(name, spec);
        let pod = self.ended(name);
        let log = self.logs(name, &[]).stdout;
        assert_eq!(pod["status"]["phase"], "Succeeded", "{pod:#}\nits log: {log}");
        log
    }

    /// Returns `reason: message` of the events about a pod, oldest first.
    pub fn events(&self, pod: &str) -> Vec<String> {
        let list = self.get("events").unwrap_or_default();
        let about = |event: &&Value| event["involvedObject"]["name"] == pod;
        let line = |event: &Value| {
            format!(
                "{}: {}",
                event["reason"].as_str().unwrap_or_default(),
                event["message"].as_str().unwrap_or_default()
            )
        };
        list["items"].as_array().into_iter().flatten().filter(about).map(line).collect()
    }

    /// Runs the command line in the case's namespace.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.host().run(&[&["--namespace", self.name.as_str()], arguments].concat())
    }

    /// Runs a shell script in a pod's first container.
    #[track_caller]
    pub fn shell(&self, pod: &str, script: &str) -> Ran {
        self.run(&["exec", pod, "--", "sh", "-c", script])
    }

    /// Reads a pod's log by the command line.
    #[track_caller]
    pub fn logs(&self, pod: &str, options: &[&str]) -> Ran {
        self.run(&[&["logs", pod], options].concat())
    }

    /// Shows that nothing of the pods of the case is left: no process, cgroup, mount or file.
    #[track_caller]
    fn clear(&self) {
        let pods = self.get("pods").unwrap_or_default();
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            self.delete(&format!("pods/{name}"), Some(0));
        }
        wait_for("the pods of the case are gone", || {
            self.get("pods").is_some_and(|list| list["items"].as_array().is_some_and(Vec::is_empty)).then_some(())
        });
        for uid in self.uids().iter() {
            let mut left = String::new();
            let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                wait_for("nothing of the pod is left", || {
                    left = self.left_of(uid);
                    left.is_empty().then_some(())
                });
            }));
            assert!(asked.is_ok(), "left of pod {uid}:\n{left}");
        }
    }

    fn left_of(&self, uid: &str) -> String {
        let census = self.host().census();
        let mut left: String = census.of_pod(uid).iter().map(|process| format!("process {}\n", process.pid)).collect();
        let named = |path: &str| path.contains(uid);
        left.extend(census.mounts.iter().filter(|mount| named(mount)).map(|mount| format!("mount {mount}\n")));
        let groups = census.cgroups.iter().map(|group| group.display().to_string());
        left.extend(groups.filter(|group| named(group)).map(|group| format!("cgroup {group}\n")));
        let files = Command::new("find")
            .arg(self.host().state())
            .args(["-xdev", "-name", &format!("*{uid}*")])
            .stderr(Stdio::null())
            .output()
            .expect("`find` runs");
        left + &String::from_utf8_lossy(&files.stdout)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clear();
        }
    }
}

/// Reads YAML as JSON; the cases write modes as decimal numbers.
fn to_json(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("no YAML ({error}):\n{yaml}"))
}
