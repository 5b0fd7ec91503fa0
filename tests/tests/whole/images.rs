//! Images from an archive and from a registry, as a commit names them.

use bowline_tests::host::{Host, is_ready, wait_for};
use bowline_tests::image::{Registry, archive};
use bowline_tests::manifests::{IDLE, deployment, deployment_of};

/// Returns what `/version` says in the one pod of `web`.
fn version(host: &Host) -> String {
    let pods = host.pods("default");
    assert!(pods.len() == 1 && is_ready(&pods[0]), "{pods:?}");
    let name = pods[0]["metadata"]["name"].as_str().expect("a name");
    host.run(&["exec", name, "--", "cat", "/version"]).expect(0).stdout
}

const SLEEP: &str = r#"["sleep", "1000"]"#;

#[test]
fn a_commit_changes_the_image_to_one_that_was_loaded() {
    let Some(mut host) = Host::new() else { return };
    let Some(file) = archive(host.scratch(), "localhost/box:1", "one").expect("an archive") else { return };
    host.commit(&[("web.yaml", &deployment("web", 1, IDLE))]);
    host.up();
    host.run(&["status", "--wait"]).expect(0);
    host.run(&["image", "load", &file.to_string_lossy()]).expect(0).says(&["loaded localhost/box:1", "sha256:"]);
    host.commit(&[("web.yaml", &deployment_of("web", 1, "localhost/box:1", SLEEP, "{}"))]);
    host.run(&["status", "--wait"]).expect(0);
    assert_eq!(version(&host), "one");
    let pod = host.pods("default").remove(0);
    let id = pod["status"]["containerStatuses"][0]["imageID"].as_str().expect("an image id");
    assert!(id.contains("sha256:"), "{id}");
    host.run(&["image", "load", "/nonexistent.tar"]).expect(1).says(&["/nonexistent.tar"]);
    std::fs::write(host.scratch().join("noise.tar"), "no archive").expect("a file");
    let noise = host.scratch().join("noise.tar").to_string_lossy().into_owned();
    host.run(&["image", "load", &noise]).expect(1).says(&["noise.tar"]);
    host.down();
    let left = host.census();
    assert!(left.is_empty(), "left behind:\n{left}");
}

#[test]
fn a_commit_names_an_image_that_is_pulled_from_a_registry() {
    let Some(mut host) = Host::new() else { return };
    let Some(registry) = Registry::start(host.scratch()).expect("a registry") else { return };
    let mut images = Vec::new();
    for version in ["one", "two"] {
        let Some(file) = archive(host.scratch(), "localhost/box:1", version).expect("an archive") else { return };
        images.push(registry.push(&file, &format!("team/box:{version}")).expect("a push"));
    }
    host.commit(&[("web.yaml", &deployment_of("web", 1, &images[0], SLEEP, "{}"))]);
    host.up();
    host.run(&["status", "--wait"]).expect(0);
    assert_eq!(version(&host), "one");
    host.commit(&[("web.yaml", &deployment_of("web", 1, &images[1], SLEEP, "{}"))]);
    host.run(&["status", "--wait"]).expect(0);
    assert_eq!(version(&host), "two");

    // Without the registry, what was pulled is enough to start again from nothing.
    drop(registry);
    host.down();
    host.up();
    wait_for("the pod runs anew", || {
        let pods = host.pods("default");
        let name = pods.first()?["metadata"]["name"].as_str()?.to_owned();
        let ran = host.run(&["exec", &name, "--", "cat", "/version"]);
        (ran.code == 0 && ran.stdout == "two").then_some(())
    });
    host.down();
}
