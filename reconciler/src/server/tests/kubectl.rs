//! The real `kubectl`, through a forwarder: it speaks to no socket files.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::{TcpListener, UnixStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::rig::{PODS, pod, rig, within};

struct Kubectl {
    server: String,
    home: PathBuf,
    forwarder: JoinHandle<()>,
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl Kubectl {
    async fn start(socket: PathBuf, home: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        let forwarder = tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let Ok(mut to) = UnixStream::connect(&socket).await else { return };
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
            }
        });
        Self { server, home: home.to_owned(), forwarder }
    }

    /// Runs kubectl with these words; returns whether it succeeded, and all that it said.
    async fn run(&self, words: &str, input: &str) -> (bool, String) {
        let mut child = Command::new("kubectl")
            .args(["--server", &self.server])
            .args(words.split_whitespace())
            .env("HOME", &self.home)
            .env("KUBECONFIG", self.home.join("none"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await.expect("is sent");
        drop(stdin);
        let output = within(child.wait_with_output()).await.expect("kubectl ends");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

const MANIFEST: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: 'web:1'}]}
";

#[tokio::test]
async fn kubectl_works_as_with_kubernetes() {
    if std::process::Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        println!("left out: there is no kubectl in PATH");
        return;
    }
    let rig = rig().await;
    rig.post(PODS, &pod("p")).await.expect_code(201);
    let kubectl = Kubectl::start(rig.socket(), rig.dir.path()).await;
    let blue = MANIFEST.replace("blue", "green");
    let steps: [(&str, &str, bool, &str); 27] = [
        ("version", "", true, "Server Version: v1."),
        ("create -f -", MANIFEST, true, "deployment.apps/web created"),
        ("create -f -", MANIFEST, false, "already exists"),
        ("get deploy,cm", "", true, "deployment.apps/web   0/1"),
        ("get all", "", true, "deployment.apps/web"),
        ("get cm settings -o yaml", "", true, "color: blue"),
        ("get cm -A -o name", "", true, "configmap/settings"),
        ("apply -f -", &blue, true, "configmap/settings configured"),
        ("apply -f -", &blue, true, "configmap/settings unchanged"),
        ("apply --server-side -f -", MANIFEST, false, "conflict with \"kubectl-client-side-apply\""),
        ("apply --server-side --force-conflicts -f -", MANIFEST, true, "configmap/settings serverside-applied"),
        ("get cm settings -o jsonpath={.data.color}", "", true, "blue"),
        ("label cm settings a=b", "", true, "labeled"),
        ("annotate deploy web a=b", "", true, "annotated"),
        ("set image deploy/web main=web:2", "", true, "image updated"),
        ("scale deploy web --replicas=3", "", true, "scaled"),
        ("get deploy web -o jsonpath={.spec.replicas}{.spec.template.spec.containers[0].image}", "", true, "3web:2"),
        ("describe deploy web", "", true, "Name:                   web"),
        ("logs p --tail=3", "", true, "default/p/main Some(3) false"),
        ("logs p --previous", "", false, "previous terminated container \"main\" in pod \"p\" not found"),
        ("exec p -- echo hello", "", true, "hello"),
        ("exec -i p -- tr a-z A-Z", "input", true, "INPUT"),
        ("exec p -- false", "", false, "command terminated with exit code 1"),
        ("explain deployment.spec.replicas", "", true, "FIELD: replicas <integer>"),
        ("api-resources", "", true, "deployments"),
        ("delete cm,deploy --all", "", true, "configmap \"settings\" deleted"),
        ("get cm settings", "", false, "Error from server (NotFound): configmaps \"settings\" not found"),
    ];
    for (words, input, succeeds, expected) in steps {
        let (succeeded, text) = kubectl.run(words, input).await;
        assert!(succeeded == succeeds && text.contains(expected), "kubectl {words}: expected `{expected}` in\n{text}");
    }
}
