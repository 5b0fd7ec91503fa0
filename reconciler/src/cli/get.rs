//! `bowline get`: objects as a table, JSON, YAML or names.

use bowline_runtime::api::{Kind, Timestamp, columns, kinds};
use serde_json::{Value, json};

use super::output::{self, Format};
use super::{Context, paths};

/// Show objects of a kind
///
/// KIND is a kind's name, plural or short name: `pod`, `pods`, `po`, `deploy`, `applications.bowline.dev`; several
/// are separated by commas, and `all` stands for those that run something. KIND/NAME is one object.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kind of the objects, or KIND/NAME
    #[arg(value_name = "KIND")]
    kind: String,
    /// Names of the objects; all of the kind without it
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Show only objects with these labels: `app=web,tier!=db`
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
}

/// Runs the verb.
pub async fn run(context: &Context, mut args: Args) -> anyhow::Result<u8> {
    if let Some((kind, name)) = args.kind.split_once('/') {
        if name.contains(',') || !args.names.is_empty() {
            anyhow::bail!("`{}` names one object: give kind and names apart, as in `bowline get pods a b`", args.kind);
        }
        args.names = vec![name.to_owned()];
        args.kind = kind.to_owned();
    }
    let kinds = named_kinds(&args.kind)?;
    let mut lists = Vec::new();
    for kind in kinds {
        lists.push((kind, fetch(context, kind, &args).await?));
    }
    match context.format {
        Format::Json | Format::Yaml => {
            let single = args.names.len() == 1 && lists.len() == 1;
            let items: Vec<Value> = lists.into_iter().flat_map(|(_, items)| items).collect();
            let value = match items.as_slice() {
                [item] if single => item.clone(),
                _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
            };
            output::machine(context.format, &value)?;
        }
        Format::Name => {
            for (kind, items) in &lists {
                for item in items {
                    output::print(&format!("{}/{}\n", kind.resource_name(), name_of(item)))?;
                }
            }
        }
        Format::Human | Format::Wide => tables(context, &lists)?,
    }
    Ok(super::exit::OK)
}

fn named_kinds(words: &str) -> anyhow::Result<Vec<&'static Kind>> {
    let known = kinds::builtin();
    if words == "all" {
        return Ok(known.iter().filter(|kind| kind.categories.contains(&"all")).collect());
    }
    words
        .split(',')
        .map(|word| {
            known.lookup(word).ok_or_else(|| {
                let mut names: Vec<_> = known.iter().map(|kind| kind.plural).collect();
                names.sort_unstable();
                anyhow::anyhow!("there is no kind `{word}`: use one of {}, or `all`", names.join(", "))
            })
        })
        .collect()
}

async fn fetch(context: &Context, kind: &'static Kind, args: &Args) -> anyhow::Result<Vec<Value>> {
    if !args.names.is_empty() {
        if context.all_namespaces && kind.namespaced() {
            anyhow::bail!("a name may stand in each namespace once: say which with `-n`, not `-A`");
        }
        let mut items = Vec::new();
        for name in &args.names {
            items.push(context.client.get(&paths::object(kind, &context.namespace, name)).await?);
        }
        return Ok(items);
    }
    let namespace = (!context.all_namespaces).then_some(context.namespace.as_str());
    let mut path = paths::collection(kind, namespace);
    if let Some(selector) = &args.selector {
        path = format!("{path}?labelSelector={}", paths::encode(selector));
    }
    let list = context.client.get(&path).await?;
    Ok(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn name_of(item: &Value) -> &str {
    item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn tables(context: &Context, lists: &[(&'static Kind, Vec<Value>)]) -> anyhow::Result<()> {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let full: Vec<_> = lists.iter().filter(|(_, items)| !items.is_empty()).collect();
    if full.is_empty() {
        let place = if context.all_namespaces {
            String::new()
        } else {
            format!(" in namespace `{}` (`-A` looks in all)", context.namespace)
        };
        eprintln!("no such objects{place}");
        return Ok(());
    }
    let several = full.len() > 1;
    for (index, (kind, items)) in full.iter().enumerate() {
        if index > 0 {
            output::print("\n")?;
        }
        output::print(&one_table(context, kind, items, several, now))?;
    }
    Ok(())
}

fn one_table(context: &Context, kind: &Kind, items: &[Value], several: bool, now: Timestamp) -> String {
    let wide = context.format == Format::Wide;
    let shown: Vec<bool> = kind.columns.iter().map(|column| wide || !column.wide).collect();
    let pick = |cells: Vec<String>| cells.into_iter().zip(&shown).filter(|(_, shown)| **shown).map(|(cell, _)| cell);
    let spaced = context.all_namespaces && kind.namespaced();
    let mut header: Vec<String> = Vec::new();
    if spaced {
        header.push("NAMESPACE".into());
    }
    header.push("NAME".into());
    header.extend(pick(kind.columns.iter().map(|column| column.name.to_uppercase().replace(' ', "-")).collect()));
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let mut row = Vec::new();
            if spaced {
                row.push(item.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default().to_owned());
            }
            let name = name_of(item);
            row.push(if several { format!("{}/{name}", kind.resource_name()) } else { name.to_owned() });
            row.extend(pick(columns::cells(kind, item, now)).map(|cell| output::printable(&cell)));
            row
        })
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    output::table(&header, &rows)
}
