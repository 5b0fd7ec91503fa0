//! Manifests as a person would write them.

pub(super) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: \"{value}\"\n")
}

pub(super) fn secret(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  password: {value}\n")
}

pub(super) fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n")
}

pub(super) fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 2\n  selector:\n    \
         matchLabels: {{app: {name}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      \
         containers:\n      - name: main\n        image: {image}\n"
    )
}

pub(super) fn job(name: &str, image: &str, more: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\nspec:\n{more}  template:\n    spec:\n      \
         restartPolicy: Never\n      containers:\n      - name: main\n        image: {image}\n"
    )
}

pub(super) fn application(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: bowline.dev/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: \
         bowline-system\nspec:\n  source:\n    name: config\n  path: {path}\n{more}"
    )
}
