//! Everything a repository can get wrong: said clearly, and nothing else suffers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use bowline_tests::census::Process;
use bowline_tests::git_server::RawServer;
use bowline_tests::host::{self, Host, is_ready, wait_for};
use bowline_tests::manifests::{IDLE, application, config_map, deployment, deployment_of, namespace};

/// What `bowline validate` says of a mistake, where it can see it without a host.
enum Offline {
    /// The same as the status.
    Sees,
    /// Nothing: the manifest is in order.
    Blind,
}

struct World {
    host: Host,
    round: u32,
    processes: BTreeSet<Process>,
    uid: String,
}

impl World {
    fn start() -> Option<Self> {
        let mut host = Host::new()?;
        let applications = [application("shop", "4s"), application("neighbour", "30s")].concat();
        host.commit(&[
            (".bowlineignore", "apps/\n"),
            ("applications.yaml", &applications),
            ("apps/shop/namespace.yaml", &namespace("shop")),
            ("apps/shop/web.yaml", &deployment("web", 1, IDLE)),
            ("apps/neighbour/namespace.yaml", &namespace("neighbour")),
            ("apps/neighbour/config.yaml", &config_map("config", "0")),
        ]);
        host.up();
        host.run(&["status", "--wait"]).expect(0);
        let pod = host.pods("shop").remove(0);
        let uid = pod["metadata"]["uid"].as_str().expect("a uid").to_owned();
        let processes = host.census().of_pod(&uid);
        assert!(!processes.is_empty());
        Some(Self { host, round: 0, processes, uid })
    }

    /// Commits a mistake together with a change of the neighbour, and looks at everything that must hold.
    #[track_caller]
    fn refuses(&mut self, case: &str, files: &[(&str, &str)], offline: &Offline, said: &[&str]) {
        self.round += 1;
        let value = self.round.to_string();
        let neighbour = config_map("config", &value);
        let mut files = files.to_vec();
        files.push(("apps/neighbour/config.yaml", &neighbour));
        self.host.commit(&files);
        println!("case: {case}");
        if matches!(offline, Offline::Sees) {
            self.host.run(&["validate", "."]).expect(1).says(said);
        } else {
            self.host.run(&["validate", "."]).expect(0);
        }
        self.host.verdict("shop").expect(1).says(said);
        self.holds(case);
        self.host.repo().git(["revert", "--no-edit", "HEAD"]).expect("a revert");
        self.host.verdict("shop").expect(0);
        self.unchanged(case);
    }

    /// The daemon is up, the last good state runs, and the neighbour is at the newest commit.
    #[track_caller]
    fn holds(&mut self, case: &str) {
        assert!(self.host.is_up(), "{case}: the daemon is up");
        self.host.verdict("neighbour").expect(0);
        let config =
            self.host.get("/api/v1/namespaces/neighbour/configmaps/config").expect("the neighbour's ConfigMap");
        assert_eq!(config["data"]["value"], self.round.to_string().as_str(), "{case}: the neighbour is reconciled");
        self.unchanged(case);
    }

    #[track_caller]
    fn unchanged(&self, case: &str) {
        assert_eq!(self.host.census().of_pod(&self.uid), self.processes, "{case}: the last good pod runs untouched");
        let pods = self.host.pods("shop");
        let pod = pods.iter().find(|pod| pod["metadata"]["uid"] == self.uid.as_str()).expect("the pod");
        assert!(is_ready(pod), "{case}: {pod}");
    }
}

#[test]
fn mistakes_in_manifests_are_named_with_file_and_line() {
    let Some(mut world) = World::start() else { return };
    let web = deployment("web", 1, IDLE);
    let path = "apps/shop/bad.yaml";
    let table: [(&str, String, &[&str]); 8] = [
        ("invalid YAML", "a: [1, 2\nb: }\n".into(), &["apps/shop/bad.yaml:"]),
        (
            "duplicate keys",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: one\n  a: two\n".into(),
            &["apps/shop/bad.yaml:6", "`a`", "line 5"],
        ),
        (
            "unknown field",
            web.replace("replicas: 1", "replica: 1").replace("name: web", "name: bad"),
            &["apps/shop/bad.yaml:6", "spec.replica", "did you mean `replicas`"],
        ),
        (
            "wrong type",
            web.replace("replicas: 1", "replicas: many").replace("name: web", "name: bad"),
            &["apps/shop/bad.yaml:6", "spec.replicas", "many"],
        ),
        (
            "unknown kind",
            "apiVersion: apps/v1\nkind: Deploymint\nmetadata: {name: x}\n".into(),
            &["apps/shop/bad.yaml:2", "Deploymint", "Deployment"],
        ),
        ("two objects of one name", web.clone(), &["apps/shop/", ":1", "web", "declared"]),
        ("no object", "just: text\n".into(), &["apps/shop/bad.yaml:1", "apiVersion"]),
        (
            "a value out of range",
            web.replace("replicas: 1", "replicas: -1").replace("name: web", "name: bad"),
            &["apps/shop/bad.yaml:6", "spec.replicas", "must be greater than or equal to 0"],
        ),
    ];
    for (case, text, said) in table {
        world.refuses(case, &[(path, &text)], &Offline::Sees, said);
    }
    world.host.down();
}

#[test]
fn what_only_the_host_can_refuse_leaves_the_old_pods_and_says_why() {
    let Some(mut world) = World::start() else { return };
    let table = [
        (
            "an image that does not exist",
            deployment_of("web", 1, "127.0.0.1:1/missing/image:1", IDLE, "{}"),
            &["127.0.0.1:1/missing/image:1"][..],
        ),
        ("a command that does not exist", deployment("web", 1, r#"["/no/such/program"]"#), &["/no/such/program"]),
        (
            "a limit that the host refuses",
            deployment_of("web", 1, "host.bowline.dev/rootfs", IDLE, "{limits: {cpu: 900M}}"),
            &["cpu"],
        ),
        (
            "a command that fails",
            deployment("web", 1, r#"["sh", "-c", "echo broken pipe dream; exit 9"]"#),
            &["code 9"],
        ),
    ];
    for (case, text, said) in table {
        // The one pod stays until a new one has been ready for a while; without that time a program that starts and
        // fails counts as available, as in Kubernetes.
        let text = text.replace("maxUnavailable: 1", "maxUnavailable: 0");
        let text = text.replace("  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 2\n");
        world.refuses(case, &[("apps/shop/web.yaml", &text)], &Offline::Blind, said);
    }
    world.host.down();
}

#[test]
fn nothing_left_in_a_repository_deletes_nothing() {
    let Some(mut world) = World::start() else { return };
    world.round += 1;
    world.host.repo().git(["rm", "-r", "--quiet", "apps/shop"]).expect("a removal");
    world.host.commit(&[
        ("apps/shop/README.md", "nothing here\n"),
        ("apps/neighbour/config.yaml", &config_map("config", "1")),
    ]);
    world.host.verdict("shop").expect(1);
    world.holds("an empty directory");
    world.host.repo().git(["revert", "--no-edit", "HEAD"]).expect("a revert");
    world.host.verdict("shop").expect(0);

    world.round += 1;
    world.host.repo().git(["rm", "-r", "--quiet", "apps/shop"]).expect("a removal");
    world.host.commit(&[("apps/neighbour/config.yaml", &config_map("config", "2"))]);
    world.host.verdict("shop").expect(1).says(&["apps/shop"]);
    world.holds("a vanished directory");
    world.host.down();
}

#[test]
fn a_held_deletion_happens_once_a_person_agrees() {
    let Some(mut host) = Host::new() else { return };
    let names = ["a", "b", "c", "d"];
    let files: Vec<(String, String)> =
        names.iter().map(|name| (format!("apps/shop/{name}.yaml"), config_map(name, "0"))).collect();
    let mut all: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let applications = application("shop", "30s");
    let shop = namespace("shop");
    all.extend([
        (".bowlineignore", "apps/\n"),
        ("applications.yaml", applications.as_str()),
        ("apps/shop/namespace.yaml", shop.as_str()),
    ]);
    host.commit(&all);
    host.up();
    host.run(&["status", "--wait"]).expect(0);
    host.run(&["approve", "shop", "--yes"]).expect(1).says(&["nothing of the Application `shop` is held"]);

    host.repo().git(["rm", "--quiet", "apps/shop/a.yaml", "apps/shop/b.yaml", "apps/shop/c.yaml"]).expect("a removal");
    host.commit(&[("apps/shop/README.md", "three are gone\n")]);
    host.verdict("shop").expect(1).says(&["3 of 5 objects", "bowline approve shop"]);
    host.run(&["approve", "shop"]).expect(1).says(&["--yes"]);
    let there = |host: &Host, name: &str| host.get(&format!("/api/v1/namespaces/shop/configmaps/{name}")).is_some();
    assert!(names.iter().all(|name| there(&host, name)), "nobody agreed yet");

    host.run(&["approve", "shop", "--yes"]).expect(0);
    host.verdict("shop").expect(0);
    assert!(!there(&host, "a") && !there(&host, "b") && !there(&host, "c") && there(&host, "d"));
    host.down();
}

/// A GitRepository and an Application that follows it.
fn foreign(name: &str, url: &str, reference: &str) -> String {
    format!(
        "apiVersion: bowline.dev/v1alpha1
kind: GitRepository
metadata: {{name: {name}, namespace: bowline-system}}
spec: {{url: \"{url}\", ref: {{branch: {reference}}}, timeout: 3s}}
---
apiVersion: bowline.dev/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: bowline-system}}
spec: {{source: {{name: {name}}}, targetNamespace: {name}}}
---
"
    )
}

#[test]
fn sources_that_cannot_be_read_trouble_nobody_else() {
    let Some(mut world) = World::start() else { return };
    let silent = RawServer::start(|_, _, ended: &AtomicBool| {
        while !ended.load(Ordering::SeqCst) {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    })
    .expect("a server");
    let here = world.host.repo().path().to_string_lossy().into_owned();
    let sources = [
        foreign("no-ref", &here, "nonexistent"),
        foreign("no-server", "http://127.0.0.1:1/x", "main"),
        foreign("slow-server", &silent.url("x"), "main"),
        foreign("no-repository", "/nonexistent/repository", "main"),
    ];
    world.round += 1;
    let list = [application("shop", "4s"), application("neighbour", "30s"), sources.concat()].concat();
    world.host.commit(&[("applications.yaml", &list), ("apps/neighbour/config.yaml", &config_map("config", "1"))]);
    for (name, said) in [
        ("no-ref", "nonexistent"),
        ("no-server", "http://127.0.0.1:1/x"),
        ("slow-server", "sent nothing"),
        ("no-repository", "/nonexistent/repository"),
    ] {
        let message = wait_for(name, || {
            let path = format!("/apis/bowline.dev/v1alpha1/namespaces/bowline-system/applications/{name}");
            let object = world.host.get(&path)?;
            let conditions = object["status"]["conditions"].as_array()?.clone();
            let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready")?;
            let message = ready["message"].as_str()?.to_owned();
            message.contains(said).then_some(message)
        });
        world.host.run(&["status", name]).expect(0).says(&[said]);
        world.host.run(&["status", name, "--wait", "--timeout", "30"]).expect(1).says(&[name, said]);
        println!("{name}: {message}");
    }
    world.holds("sources that cannot be read");
    world.host.down();
}

#[test]
fn a_root_source_that_cannot_be_read_ends_a_single_run_with_an_error() {
    let Some(host) = Host::new() else { return };
    host.commit(&[("config.yaml", &config_map("config", "1"))]);
    let repository = host.repo().path().to_string_lossy().into_owned();
    let once = ["--once", "--timeout", "30"];
    let up = |arguments: &[&str]| host.run(&[&["up"], arguments, &once[..]].concat());
    up(&[&repository, "--ref", "nonexistent"]).expect(1).says(&["nonexistent"]);
    up(&["http://127.0.0.1:1/config"]).expect(1).says(&["127.0.0.1:1"]);
    up(&["/nonexistent"]).expect(1).says(&["/nonexistent"]);
    up(&["ssh://example.com/config"]).expect(1).says(&["ssh"]);
    up(&[&repository, "--path", "nowhere"]).expect(1).says(&["nowhere"]);
    host.run(&["down", "--yes"]).expect(0);
}

#[test]
fn a_missing_directory_is_an_error_of_validate() {
    host::run(["validate", "/nonexistent"]).expect(1).says(&["/nonexistent"]);
}
