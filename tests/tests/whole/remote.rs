//! Config repositories on real Git servers, from the first fetch to running pods.

use std::ffi::OsStr;

use bowline_tests::git_server::{GitServer, PASSWORD, USER};
use bowline_tests::host::{Host, is_ready, wait_for};
use bowline_tests::manifests::{IDLE, config_map, deployment};

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn a_repository_behind_tls_and_a_password_becomes_pods() {
    let Some(mut host) = Host::new() else { return };
    let root = host.scratch().join("served");
    let served = bowline_tests::git_server::Repo::init(root.join("shop")).expect("a repository");
    served.commit(&[("web.yaml", &deployment("web", 1, IDLE))], "start").expect("a commit");
    let Some(server) = GitServer::start(&root, true).expect("the server starts") else { return };
    let ca = String::from_utf8(server.ca_pem().expect("a certificate")).expect("PEM");
    let secret = |password: &str| {
        format!(
            "apiVersion: v1
kind: Secret
metadata: {{name: shop, namespace: bowline-system}}
stringData:
  username: {USER}
  password: {password}
  ca.crt: |
{}",
            indented(&ca)
        )
    };
    let source = format!(
        "apiVersion: bowline.dev/v1alpha1
kind: GitRepository
metadata: {{name: shop, namespace: bowline-system}}
spec: {{url: \"{}\", ref: {{branch: main}}, secretRef: {{name: shop}}}}
---
apiVersion: bowline.dev/v1alpha1
kind: Application
metadata: {{name: shop, namespace: bowline-system}}
spec: {{source: {{name: shop}}, targetNamespace: default}}
",
        server.url("private/shop")
    );
    host.commit(&[("secret.yaml", &secret("hunter-two")), ("shop.yaml", &source)]);
    host.up();
    wait_for("the refusal is told", || host.run(&["status", "shop"]).stdout.contains("401").then_some(()));
    let status = host.run(&["status", "-o", "json"]).expect(0);
    assert!(!status.stdout.contains("hunter-two"), "a password is never told: {}", status.stdout);

    // The right password mends it without anything else being touched.
    host.commit(&[("secret.yaml", &secret(PASSWORD))]);
    wait_for("the pod runs", || host.pods("default").iter().any(is_ready).then_some(()));
    host.verdict("shop").expect(0);

    // A push is noticed when it is asked for, long before the poll.
    served.commit(&[("config.yaml", &config_map("config", "2"))], "more").expect("a commit");
    host.verdict("shop").expect(0);
    assert_eq!(host.get("/api/v1/namespaces/default/configmaps/config").expect("it is applied")["data"]["value"], "2");

    // The server goes: everything goes on.
    let running = host.census().of_pods();
    drop(server);
    host.run(&["status", "shop", "--wait", "--timeout", "30"]).expect(1).says(&["cannot reach", "healthy"]);
    assert_eq!(host.census().of_pods(), running);
    host.down();
}

#[test]
fn branches_tags_and_commits_are_followed_over_http() {
    let Some(mut host) = Host::new() else { return };
    let root = host.scratch().join("served");
    let served = bowline_tests::git_server::Repo::init(root.join("config")).expect("a repository");
    let first = served.commit(&[("config.yaml", &config_map("config", "first"))], "first").expect("a commit");
    served.git(["tag", "v1"]).expect("a tag");
    served.commit(&[("config.yaml", &config_map("config", "second"))], "second").expect("a commit");
    let Some(server) = GitServer::start(&root, false).expect("the server starts") else { return };
    let url = server.url("git/config");
    let value = |host: &Host| {
        host.get("/api/v1/namespaces/default/configmaps/config")?["data"]["value"].as_str().map(str::to_owned)
    };
    for (reference, expected) in [("main", "second"), ("v1", "first"), ("main", "second"), (&first, "first")] {
        host.up_with(&[OsStr::new(&url), "--ref".as_ref(), reference.as_ref()]);
        wait_for(reference, || (value(&host).as_deref() == Some(expected)).then_some(()));
        host.run(&["status", "--wait"]).expect(0);
        host.kill();
    }
    host.run(&["down", "--yes"]).expect(0);
}
