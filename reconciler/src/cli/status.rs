//! `bowline status`: where the Applications stand, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use bowline_runtime::api::kinds::{Application, ApplicationStatus, GitRepository};
use bowline_runtime::api::{Object as _, Timestamp};
use serde_json::{Value, json};

use super::output::{self, Format, Tone};
use super::progress::{LOOK_EVERY, Progress, Row, short};
use super::{Context, exit, paths, time};
use crate::sync::{REQUESTED_AT, SYSTEM_NAMESPACE};

/// How long `--wait` waits for one source to be read, at most: a fetch is bounded to less.
const READ_MAX: Duration = Duration::from_secs(60);

/// Show where the Applications stand
///
/// With `--wait`, asks the sources for new commits first and returns when every shown Application has a verdict on
/// the newest one: exit code 0 if all are healthy, 1 if one is rejected, held, or not done in time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of one Application; all without it
    #[arg(value_name = "APP")]
    name: Option<String>,
    /// Wait for a verdict on the newest commit
    #[arg(long)]
    wait: bool,
    /// How long `--wait` waits: seconds, or a span such as `10m`
    #[arg(long, value_name = "TIME", default_value = "600s", requires = "wait", value_parser = time::span)]
    timeout: Duration,
}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> anyhow::Result<u8> {
    let code = if args.wait { wait(context, &args).await? } else { exit::OK };
    let applications = applications(context, args.name.as_deref()).await?;
    let commits = commits(context).await?;
    match context.format {
        Format::Json | Format::Yaml => {
            let items: Vec<Value> = applications.iter().map(bowline_runtime::api::Object::to_value).collect();
            let value = match items.as_slice() {
                [item] if args.name.is_some() => item.clone(),
                _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
            };
            output::machine(context.format, &value)?;
        }
        Format::Name => {
            for application in &applications {
                output::print(&format!("{}/{}\n", Application::kind().resource_name(), application.meta().name))?;
            }
        }
        Format::Human | Format::Wide => {
            if applications.is_empty() {
                eprintln!("there are no Applications; `bowline up REPO` makes one");
            }
            for application in &applications {
                output::print(&details(application, newest(&commits, application)))?;
            }
        }
    }
    Ok(code)
}

fn namespace(context: &Context) -> Option<&str> {
    match (context.all_namespaces, context.namespace_given) {
        (true, _) => None,
        (false, true) => Some(&context.namespace),
        (false, false) => Some(SYSTEM_NAMESPACE),
    }
}

async fn applications(context: &Context, name: Option<&str>) -> anyhow::Result<Vec<Application>> {
    let kind = Application::kind();
    if let Some(name) = name {
        let namespace = namespace(context).unwrap_or(SYSTEM_NAMESPACE);
        let value = context.client.get(&paths::object(kind, namespace, name)).await?;
        return Ok(vec![serde_json::from_value(value).context("cannot read the Application")?]);
    }
    let list = context.client.get(&paths::collection(kind, namespace(context))).await?;
    let items = list.get("items").cloned().unwrap_or_default();
    serde_json::from_value(items).context("cannot read the list of Applications")
}

/// Returns the newest commit of each GitRepository, by `(namespace, name)`.
async fn commits(context: &Context) -> anyhow::Result<BTreeMap<(String, String), String>> {
    let list = context.client.get(&paths::collection(GitRepository::kind(), None)).await?;
    let items = list.get("items").cloned().unwrap_or_default();
    let repositories: Vec<GitRepository> = serde_json::from_value(items).context("cannot read the GitRepositories")?;
    Ok(repositories
        .into_iter()
        .filter_map(|repository| {
            let key = (repository.metadata.namespace?, repository.metadata.name);
            Some((key, repository.status?.revision?))
        })
        .collect())
}

fn newest<'a>(commits: &'a BTreeMap<(String, String), String>, application: &Application) -> Option<&'a str> {
    let namespace = application.meta().namespace.clone()?;
    commits.get(&(namespace, application.spec.source.name.clone())).map(String::as_str)
}

async fn wait(context: &Context, args: &Args) -> anyhow::Result<u8> {
    let deadline = tokio::time::Instant::now() + args.timeout;
    if let Some(trouble) = request(context, args).await? {
        // What runs may be healthy, but whether it is the newest commit cannot be known.
        eprintln!("error: {trouble}");
        return Ok(exit::FAILED);
    }
    let mut progress = Progress::default();
    loop {
        let revision = revision(context).await?;
        let applications = applications(context, args.name.as_deref()).await?;
        let commits = commits(context).await?;
        let rows: Vec<Row> =
            applications.iter().map(|application| Row::new(application, newest(&commits, application))).collect();
        let done = !rows.is_empty() && rows.iter().all(|row| row.verdict.is_final());
        if done {
            return Ok(if rows.iter().all(|row| row.verdict.is_good()) { exit::OK } else { exit::FAILED });
        }
        if context.format == Format::Human {
            progress.show(&rows);
        }
        if tokio::time::timeout_at(deadline, change(context, revision)).await.is_err() {
            eprintln!("no verdict after {} s", args.timeout.as_secs());
            return Ok(exit::FAILED);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Where the last request stands in an object: the annotation [`REQUESTED_AT`].
const REQUESTED_AT_POINTER: &str = "/metadata/annotations/bowline.dev~1requested-at";

/// Asks the sources of the shown Applications to look for commits now, and waits until they have. Returns why one of
/// them cannot be read.
async fn request(context: &Context, args: &Args) -> anyhow::Result<Option<String>> {
    let stamp = Timestamp::from_system(std::time::SystemTime::now()).micros().to_string();
    let shown = applications(context, args.name.as_deref()).await?;
    let sources: BTreeSet<(String, String)> = shown
        .iter()
        .filter_map(|application| Some((application.meta().namespace.clone()?, application.spec.source.name.clone())))
        .collect();
    for (namespace, name) in &sources {
        let path = paths::object(GitRepository::kind(), namespace, name);
        let patch = json!({"metadata": {"annotations": {REQUESTED_AT: stamp}}});
        context.client.merge_patch(&path, &patch).await?;
        let deadline = tokio::time::Instant::now() + args.timeout.min(READ_MAX);
        loop {
            let revision = revision(context).await?;
            let value = context.client.get(&path).await?;
            // Another request may have replaced this one since; it is the later one then, and covers both.
            let asked = value.pointer(REQUESTED_AT_POINTER);
            if asked.is_some() && value.pointer("/status/lastHandledReconcileAt") == asked {
                if let Some(message) = trouble(&value) {
                    return Ok(Some(format!("cannot read the GitRepository `{name}`: {message}")));
                }
                break;
            }
            if tokio::time::timeout_at(deadline, change(context, revision)).await.is_err() {
                anyhow::bail!(
                    "the GitRepository `{name}` was not read in time: see `bowline get gitrepo {name} -n {namespace}`"
                );
            }
        }
    }
    Ok(None)
}

/// Returns why a GitRepository could not be read the last time, if so.
fn trouble(repository: &Value) -> Option<&str> {
    let conditions = repository.pointer("/status/conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready" && condition["status"] == "False")?;
    ready.get("message")?.as_str()
}

/// Returns the store's revision.
async fn revision(context: &Context) -> anyhow::Result<u64> {
    let answer = context.client.get("/bowline/v1/changes?after=0&timeoutSeconds=0").await?;
    Ok(answer.get("revision").and_then(Value::as_u64).unwrap_or(0))
}

/// Returns when something changed since a revision, or after half a minute.
async fn change(context: &Context, revision: u64) {
    if context.client.get(&format!("/bowline/v1/changes?after={revision}&timeoutSeconds=30")).await.is_err() {
        // The daemon is away: the next call reports that; do not spin until then.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn details(application: &Application, commit: Option<&str>) -> String {
    let none = ApplicationStatus::default();
    let status = application.status.as_ref().unwrap_or(&none);
    let mut out = Row::new(application, commit).line(application.meta().name.len().max(12));
    out.push('\n');
    let revision = status.revision.clone().unwrap_or_default();
    if let Some(healthy) = revision.healthy.as_deref().filter(|healthy| Some(*healthy) != revision.seen.as_deref()) {
        out.push_str(&format!("    running the last healthy commit {}\n", short(healthy)));
    }
    if let Some(summary) = &status.summary {
        let parts = [
            (summary.healthy, "healthy"),
            (summary.progressing, "progressing"),
            (summary.degraded, "degraded"),
            (summary.suspended, "suspended"),
            (summary.missing, "missing"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let line =
            format!("    {} object{}: {}", summary.total, if summary.total == 1 { "" } else { "s" }, parts.join(", "));
        out.push_str(&output::tone(Tone::Dim, &line));
        out.push('\n');
    }
    for resource in status.resources.iter().filter(|resource| resource.health.as_deref() != Some("Healthy")) {
        let health = resource.health.as_deref().unwrap_or_default();
        let tone = if health == "Degraded" || health == "Missing" { Tone::Bad } else { Tone::Warn };
        let name = format!("{} {}/{}", resource.kind, resource.namespace.as_deref().unwrap_or("-"), resource.name);
        let message = output::printable(resource.message.as_deref().unwrap_or_default());
        out.push_str(&format!("    {name}: {}: {message}\n", output::tone(tone, health)));
    }
    out
}
