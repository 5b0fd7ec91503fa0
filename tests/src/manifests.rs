//! Manifests that the tests commit.

/// Returns an Application of the directory `apps/NAME` whose objects go to the namespace NAME.
pub fn application(name: &str, timeout: &str) -> String {
    format!(
        "apiVersion: bowline.dev/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: bowline-system}}
spec:
  source: {{name: config}}
  path: apps/{name}
  targetNamespace: {name}
  timeout: {timeout}
---
"
    )
}

/// Returns a Namespace.
pub fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

/// Returns a ConfigMap with one value.
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n")
}

/// A command that ends at once when it is asked to, and until then does nothing.
pub const IDLE: &str = r#"["perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]"#;

/// Returns a Deployment of one container that runs a command, a YAML or JSON list.
pub fn deployment(name: &str, replicas: u32, command: &str) -> String {
    deployment_of(name, replicas, "host.bowline.dev/rootfs", command, "{}")
}

/// Returns a Deployment with all that the tests vary. At most one pod may be missing or surplus during an update.
pub fn deployment_of(name: &str, replicas: u32, image: &str, command: &str, resources: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  strategy: {{rollingUpdate: {{maxSurge: 1, maxUnavailable: 1}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: main
          image: {image}
          imagePullPolicy: IfNotPresent
          command: {command}
          resources: {resources}
"
    )
}

/// Returns a Pod of one container that runs a shell script.
pub fn pod(name: &str, restart: &str, script: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: {restart}
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: host.bowline.dev/rootfs
      command: [\"sh\", \"-c\", {script:?}]
      volumeMounts: [{{name: control, mountPath: /control, readOnly: true}}]
  volumes:
    - name: control
      hostPath: {{path: CONTROL, type: Directory}}
---
"
    )
}
