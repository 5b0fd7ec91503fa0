//! Macros that turn one declaration into a typed Kubernetes object and a decision into a controller.
//!
//! Responsible for the declaration's syntax: [`Schema`](macro@Schema) for types that stand inside objects,
//! [`Object`](macro@Object) for kinds, [`controller`](macro@controller) for what to do about them. Never does I/O and
//! never knows a concrete kind. All meaning lies in `bowline_runtime`: the macros emit constants that its defaulting,
//! validation, merging, `explain` and API walk.
//!
//! Every mistake in a declaration is reported at once, each at its place and with a suggestion where there is one. The
//! type is emitted all the same, so that the mistakes are all that the compiler reports.
//!
//! A crate that uses the macros depends on `bowline-runtime` and `serde`.
//!
//! # A kind and its controller
//!
//! ```
//! mod greeting {
//!     use bowline_macros::Object;
//!     use serde::{Deserialize, Serialize};
//!
//!     /// A word for everyone who comes in.
//!     #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
//!     #[serde(default, rename_all = "camelCase")]
//!     #[object(group = "example.org", version = "v1", short("gr"), column(name = "Text", path = "/spec/text"))]
//!     pub struct GreetingSpec {
//!         /// What is said.
//!         #[object(default = "hello", max_len = 80)]
//!         pub text: Option<String>,
//!         /// To whom; cannot be taken back.
//!         #[object(required, immutable)]
//!         pub guest: String,
//!     }
//! }
//!
//! let kind = greeting::Greeting::kind();
//! assert_eq!(kind.resource(), "greetings.example.org");
//! assert_eq!(bowline_runtime::api::crd::crd(kind)["spec"]["names"]["shortNames"][0], "gr");
//! ```
#![deny(missing_docs)]

mod controller;
mod object;
mod schema;
mod syntax;

use proc_macro::TokenStream;

/// Describes the JSON of a struct with named fields, or of an enum whose variants are words.
///
/// Emits `impl bowline_runtime::api::schema::Schema`. Names are those that serde writes: `rename_all`, `rename` and
/// `skip` count. Descriptions are the doc comments. `Option`, `Box`, `Vec` and `BTreeMap` are seen through, so that
/// `one_of` on a `Vec<String>` is about its items.
///
/// Refused, since their JSON cannot be described: tuple structs (implement `Schema` by hand for a wrapper), variants
/// with values, type parameters, unsigned and short numbers, and serde's `flatten`, `alias`, `tag`, `untagged` and
/// `transparent`.
///
/// # Attributes of a struct: `#[object(…)]`
///
/// | attribute | meaning |
/// |---|---|
/// | `atomic` | server-side apply owns objects of this type as a whole |
///
/// # Attributes of a field: `#[object(…)]`
///
/// | attribute | for | meaning | example |
/// |---|---|---|---|
/// | `required` | any | absent, `null` and `""` are `Required value` | `required` |
/// | `default` | scalars | set where the field is absent and its parent exists | `default = "Always"`, `default = 1`, `default = true` |
/// | `default_json` | any | the same for values that are no scalars, as JSON | `default_json = "{\"type\": \"RollingUpdate\"}"` |
/// | `min` | numbers | the smallest | `min = 1` |
/// | `min` | durations, quantities | the shortest or smallest, as text | `min = "10s"` |
/// | `max` | numbers | the largest | `max = 65535` |
/// | `max_len` | strings | the most bytes | `max_len = 63` |
/// | `min_items` | lists | the fewest items | `min_items = 1` |
/// | `one_of` | strings | the only values | `one_of = ["Always", "Never"]` |
/// | `format` | strings | a named format, see below | `format = "dns-label"` |
/// | `immutable` | any | a change is `field is immutable` | `immutable` |
/// | `list_map` | lists of objects | items are told apart by these fields and merged one by one | `list_map = "name"`, `list_map("containerPort", "protocol")` |
/// | `patch_key` | with `list_map` | the key of a strategic merge patch, if not the first | `patch_key = "containerPort"` |
/// | `list_set` | lists of scalars | every item is owned by itself | `list_set` |
/// | `atomic` | maps, structs, lists | replaced as a whole (what a list is without any of these) | `atomic` |
/// | `not_enforced` | any | stored, without effect; using it yields this as a warning | `not_enforced = "bowline has one scheduler"` |
/// | `sensitive` | any | masked in plans, diffs, logs and errors | `sensitive` |
///
/// Where a list of strings is wanted, `name = "a"`, `name = ["a", "b"]` and `name("a", "b")` are the same.
///
/// | format | what it accepts |
/// |---|---|
/// | `dns-label` | RFC 1123 label, at most 63 characters |
/// | `dns-subdomain` | RFC 1123 subdomain, at most 253 characters |
/// | `qualified-name` | key of a label or annotation: optional DNS prefix, slash, name |
/// | `label-value` | value of a label, at most 63 characters |
/// | `config-key` | key of a ConfigMap or Secret |
/// | `env-name` | name of an environment variable |
/// | `port-name` | IANA service name, at most 15 characters |
/// | `absolute-path` | path that starts with `/` |
///
/// # Contradictions
///
/// Refused at compile time: a default that is `required`, of the wrong type, not in `one_of`, too long, or outside of
/// `min` and `max`; `min` above `max`; rules for another type than the field's; two ways to merge; a JSON name or an
/// attribute given twice.
///
/// # Example
///
/// ```
/// use bowline_macros::Schema;
/// use serde::{Deserialize, Serialize};
///
/// /// A port that a container listens on.
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
/// #[serde(default, rename_all = "camelCase")]
/// pub struct Port {
///     /// The number.
///     #[object(required, min = 1, max = 65535)]
///     pub container_port: i32,
///     /// The protocol.
///     #[object(default = "TCP", one_of = ["TCP", "UDP", "SCTP"])]
///     pub protocol: Option<String>,
/// }
/// ```
///
/// A mistake names what was meant:
///
/// ```compile_fail
/// # use bowline_macros::Schema;
/// #[derive(Schema)]
/// pub struct Port {
///     #[object(requird)] // unknown attribute `requird`; did you mean `required`?
///     pub number: i32,
/// }
/// ```
#[proc_macro_derive(Schema, attributes(object))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    schema::derive(input.into()).into()
}

/// Declares a kind.
///
/// On a struct `…Spec` it emits the kind's type with `metadata`, `spec` and, if there is one, `status`, its schema,
/// and `impl bowline_runtime::api::object::Object`, besides what [`Schema`](macro@Schema) emits for the struct itself.
/// The type has the struct's doc comment and visibility, and derives `Clone`, `Debug`, `Default`, `PartialEq` and
/// serde's traits; the specification and the status must have these, too.
///
/// With `whole`, the struct is the object: it has a field `metadata: ObjectMeta`, and whatever else the kind has
/// instead of a specification. A field `status` is then the status.
///
/// `Kind::kind()`, without any trait in scope, returns the kind's declaration.
///
/// # Attributes of the struct: `#[object(…)]`
///
/// | attribute | meaning | without it |
/// |---|---|---|
/// | `version = "v1"` | API version | an error |
/// | `group = "example.org"` | API group | the core group |
/// | `kind = "CronJob"` | the kind and its type | the struct's name without `Spec` |
/// | `singular = "cronjob"` | singular in command lines | the kind in lower case |
/// | `plural = "cronjobs"` | plural in URLs | the singular with `s`, `es` or `ies` |
/// | `short("cj")` | short names | none |
/// | `categories("all")` | categories | none |
/// | `scope = Cluster` | `Namespaced` or `Cluster` | `Namespaced` |
/// | `status = CronJobStatus` | type of `status`, which gets its own subresource | no status |
/// | `scale(spec = "/spec/replicas", status = "/status/replicas", selector = "/status/labelSelector")` | JSON pointers for the `scale` subresource | no `scale` |
/// | `column(…)` | a column of `get`; once for each, in order | the name only |
/// | `default = function` | `fn(&mut Value)`: defaults that depend on other fields, after the declared ones | none |
/// | `validate = function` | `fn(&Value) -> Vec<FieldError>`: what no field can check alone | none |
/// | `validate_update = function` | `fn(&Value, &Value) -> Vec<FieldError>`, old and new: what may not change | none |
/// | `atomic` | server-side apply owns the specification as a whole | field by field |
/// | `whole` | the struct is the object | the struct is the specification |
///
/// | in `column(…)` | meaning | without it |
/// |---|---|---|
/// | `name = "Ready"` | heading | an error |
/// | `path = "/status/ready"` | JSON pointer to the value | `render` |
/// | `render = function` | `fn(&Value, Timestamp) -> String`: the cell from the object and the present time | `path` |
/// | `type = "integer"` | `string`, `integer`, `number`, `boolean` or `date` (shown as an age) | `string` |
/// | `wide` | only with `-o wide` | always |
///
/// Fields take the attributes of [`Schema`](macro@Schema). Pointers are followed as far as the declaration shows.
///
/// # Examples
///
/// ```
/// use bowline_macros::{Object, Schema};
/// use serde::{Deserialize, Serialize};
///
/// /// Copies of one program.
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
/// #[serde(default, rename_all = "camelCase")]
/// #[object(
///     group = "example.org",
///     version = "v1alpha1",
///     status = FleetStatus,
///     short("fl"),
///     scale(spec = "/spec/replicas", status = "/status/replicas", selector = "/status/selector"),
///     column(name = "Wanted", type = "integer", path = "/spec/replicas"),
///     column(name = "Age", type = "date", path = "/metadata/creationTimestamp")
/// )]
/// pub struct FleetSpec {
///     /// How many.
///     #[object(default = 1, min = 0)]
///     pub replicas: Option<i32>,
/// }
///
/// /// What runs.
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
/// #[serde(default, rename_all = "camelCase")]
/// pub struct FleetStatus {
///     /// How many.
///     pub replicas: i32,
///     /// How to find them.
///     pub selector: String,
/// }
///
/// assert_eq!(Fleet::kind().plural, "fleets");
/// let fleet: Fleet = serde_json::from_str(r#"{"metadata": {"name": "web"}, "spec": {"replicas": 3}}"#)?;
/// assert_eq!(fleet.spec.replicas, Some(3));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// A whole object:
///
/// ```
/// use bowline_macros::Object;
/// use bowline_runtime::api::meta::ObjectMeta;
/// use serde::{Deserialize, Serialize};
///
/// /// A text that others refer to.
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
/// #[serde(default, rename_all = "camelCase")]
/// #[object(whole, group = "example.org", version = "v1")]
/// pub struct Note {
///     /// Name and labels.
///     pub metadata: ObjectMeta,
///     /// The text.
///     #[object(required, sensitive)]
///     pub text: String,
/// }
///
/// assert_eq!((Note::kind().root)().fields.len(), 2);
/// ```
#[proc_macro_derive(Object, attributes(object))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    object::derive(input.into()).into()
}

/// Makes a controller out of a decision.
///
/// Stands on `fn decide(observed: &Observed, desired: &Kind, now: Timestamp) -> Vec<Action>`, leaves it as it is (so
/// that tests call it as a plain function) and emits a unit struct `KindController` with
/// `impl bowline_runtime::control::Controller`, by which the framework watches, observes, calls the function, and
/// carries out the actions.
///
/// A decision is a pure function of its arguments: it cannot be `async`, has no parameters in `<…>`, takes what it
/// sees by `&` and the time by value. To wait, it returns an action with a reason and a deadline.
///
/// # Arguments
///
/// | argument | meaning | without it |
/// |---|---|---|
/// | `name = "replicaset"` | name in events and metrics | an error |
/// | `kind = ReplicaSet` | the kind it decides on, which `desired` is a reference to | an error |
/// | `observe = observe::observe` | `fn(&Snapshot, &Key) -> Option<(Observed, Arc<Kind>)>`: what the decision gets to see; `None` when the object is gone | an error |
/// | `owns(Pod)` | kinds it creates: their changes bring back the owner | none |
/// | `watches(Node => pods_on)` | other kinds, and `fn(&Snapshot, &Key) -> Vec<Key>`: which objects a change concerns | none |
#[proc_macro_attribute]
pub fn controller(arguments: TokenStream, item: TokenStream) -> TokenStream {
    controller::attribute(arguments.into(), item.into()).into()
}
