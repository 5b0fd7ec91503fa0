//! Kinds declared by hand, so that these tests depend on no built-in kind: a workload in the manner of a Deployment
//! and a secret.

use crate::api::object::{Kind, Scope};
use crate::api::schema::{Field, ListKind, Struct, Type};

const fn field(name: &'static str, ty: Type) -> Field {
    Field::new(name, "", ty)
}
const fn map_list(name: &'static str, ty: Type, keys: &'static [&'static str], patch_key: &'static str) -> Field {
    Field { list: ListKind::Map { keys, patch_key }, ..field(name, ty) }
}
const fn object(name: &'static str, fields: &'static [Field]) -> Struct {
    Struct { name, doc: "", fields, atomic: false }
}

const STRINGS: Type = Type::List(&Type::String);
const LABELS: Type = Type::Map(&Type::String);
const QUANTITIES: Type = Type::Map(&Type::Quantity);

static OWNER: Struct = Struct {
    atomic: true,
    ..object(
        "OwnerReference",
        &[field("uid", Type::String), field("name", Type::String), field("controller", Type::Boolean)],
    )
};
static META: Struct = object(
    "ObjectMeta",
    &[
        field("name", Type::String),
        field("namespace", Type::String),
        field("labels", LABELS),
        field("annotations", LABELS),
        Field { list: ListKind::Set, ..field("finalizers", STRINGS) },
        map_list("ownerReferences", Type::List(&Type::Struct(|| &OWNER)), &["uid"], "uid"),
    ],
);
static SELECTOR: Struct = Struct { atomic: true, ..object("LabelSelector", &[field("matchLabels", LABELS)]) };
static ROLLING: Struct =
    object("RollingUpdate", &[field("maxSurge", Type::IntOrString), field("maxUnavailable", Type::IntOrString)]);
static STRATEGY: Struct =
    object("Strategy", &[field("type", Type::String), field("rollingUpdate", Type::Struct(|| &ROLLING))]);
static PORT: Struct = object(
    "Port",
    &[
        field("containerPort", Type::Int32),
        Field { default: Some("\"TCP\""), ..field("protocol", Type::String) },
        field("name", Type::String),
        field("hostPort", Type::Int32),
    ],
);
static ENV: Struct = object("Env", &[field("name", Type::String), field("value", Type::String)]);
static HTTP_GET: Struct = object("HttpGet", &[field("path", Type::String), field("port", Type::IntOrString)]);
static PROBE: Struct =
    object("Probe", &[field("httpGet", Type::Struct(|| &HTTP_GET)), field("periodSeconds", Type::Int32)]);
static RESOURCES: Struct = object("Resources", &[field("limits", QUANTITIES), field("requests", QUANTITIES)]);
static CONTAINER: Struct = object(
    "Container",
    &[
        field("name", Type::String),
        field("image", Type::String),
        field("command", STRINGS),
        field("args", STRINGS),
        map_list("env", Type::List(&Type::Struct(|| &ENV)), &["name"], "name"),
        map_list("ports", Type::List(&Type::Struct(|| &PORT)), &["containerPort", "protocol"], "containerPort"),
        field("resources", Type::Struct(|| &RESOURCES)),
        field("livenessProbe", Type::Struct(|| &PROBE)),
    ],
);
static EMPTY_DIR: Struct = object("EmptyDir", &[field("medium", Type::String)]);
static HOST_PATH: Struct = object("HostPath", &[field("path", Type::String)]);
static VOLUME: Struct = object(
    "Volume",
    &[
        field("name", Type::String),
        field("emptyDir", Type::Struct(|| &EMPTY_DIR)),
        field("hostPath", Type::Struct(|| &HOST_PATH)),
    ],
);
static TOLERATION: Struct = object("Toleration", &[field("key", Type::String), field("operator", Type::String)]);
static POD_SPEC: Struct = object(
    "PodSpec",
    &[
        map_list("containers", Type::List(&Type::Struct(|| &CONTAINER)), &["name"], "name"),
        map_list("volumes", Type::List(&Type::Struct(|| &VOLUME)), &["name"], "name"),
        Field { atomic: true, ..field("nodeSelector", LABELS) },
        field("tolerations", Type::List(&Type::Struct(|| &TOLERATION))),
        field("schedulerName", Type::String),
    ],
);
static TEMPLATE: Struct =
    object("Template", &[field("metadata", Type::Struct(|| &META)), field("spec", Type::Struct(|| &POD_SPEC))]);
static SPEC: Struct = object(
    "WorkloadSpec",
    &[
        field("replicas", Type::Int32),
        field("paused", Type::Boolean),
        field("deadline", Type::Time),
        field("selector", Type::Struct(|| &SELECTOR)),
        field("strategy", Type::Struct(|| &STRATEGY)),
        field("template", Type::Struct(|| &TEMPLATE)),
        field("extra", Type::Any),
    ],
);
static CONDITION: Struct = object("Condition", &[field("type", Type::String), field("status", Type::String)]);
static STATUS: Struct = object(
    "WorkloadStatus",
    &[
        field("replicas", Type::Int32),
        map_list("conditions", Type::List(&Type::Struct(|| &CONDITION)), &["type"], "type"),
    ],
);
static WORKLOAD_ROOT: Struct = object(
    "Workload",
    &[
        field("metadata", Type::Struct(|| &META)),
        field("spec", Type::Struct(|| &SPEC)),
        field("status", Type::Struct(|| &STATUS)),
    ],
);
static SECRET_ROOT: Struct = object(
    "Secret",
    &[
        field("metadata", Type::Struct(|| &META)),
        Field { sensitive: true, ..field("data", Type::Map(&Type::Bytes)) },
        field("type", Type::String),
    ],
);

const fn kind(group: &'static str, kind: &'static str, root: fn() -> &'static Struct, has_status: bool) -> Kind {
    Kind {
        group,
        version: "v1",
        kind,
        plural: "",
        singular: "",
        short_names: &[],
        categories: &[],
        scope: Scope::Namespaced,
        root,
        columns: &[],
        has_status,
        scale: None,
        default: None,
        validate: None,
        validate_update: None,
    }
}

/// A workload with every class of list, map and struct; `apps/v1`.
pub(crate) static WORKLOAD: Kind = kind("apps", "Workload", || &WORKLOAD_ROOT, true);
/// A kind with a sensitive map and no status; `v1`.
pub(crate) static SECRET: Kind = kind("", "Secret", || &SECRET_ROOT, false);
