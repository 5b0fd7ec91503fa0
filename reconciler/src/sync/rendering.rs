//! What a commit renders to for one Application, from memory where its files are the same.
//!
//! A commit that cannot be read now is no verdict on it: it is told apart from one whose files are wrong.

use std::sync::Arc;

use bowline_runtime::api::kinds::Application;
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::memory::{Memory, Render};
use super::sources::OpenSource;
use crate::plan::{self, Problem};
use crate::render::{self, RenderError};
use crate::source::{CommitId, ReadError};

/// Returns what a commit renders to.
///
/// # Errors
/// Why the commit's files cannot be read now.
pub(super) fn render_at(
    shared: &Shared,
    source: &OpenSource,
    application: &Application,
    commit: &str,
    memory: &mut Memory,
) -> Result<Arc<Render>, String> {
    let path = application.spec.path.as_deref().unwrap_or(".");
    let target = application.spec.target_namespace.as_deref().unwrap_or("default");
    let settings = format!("{path}\n{target}");
    if let Some(found) = memory.render(commit, &settings, |_, _| false) {
        return Ok(found);
    }
    let id = CommitId::parse(commit).ok_or_else(|| format!("`{commit}` is no commit id"))?;
    let tree = source.tree(id).map_err(|error| chain(&error))?;
    let same = |inputs: &render::Inputs, hash: &render::InputsHash| {
        render::inputs_hash(&*tree, inputs).is_ok_and(|now| now == *hash)
    };
    if let Some(found) = memory.render(commit, &settings, same) {
        return Ok(found);
    }
    let files = memory.files(&settings);
    let check = |manifest| plan::check(&manifest, &shared.config.kinds, target);
    let made = Arc::new(match render::render_with(&*tree, path, &mut files.cache, &check) {
        Ok(rendered) => Render {
            commit: commit.to_owned(),
            key: impact_key(&settings, &plan::digest(&rendered.objects)),
            result: Ok(plan::join(&rendered.objects)),
            settings,
            inputs: Some((rendered.inputs, rendered.inputs_hash)),
        },
        Err(errors) => {
            if let Some(error) = errors.iter().find(|error| is_passing(error)) {
                source.discard();
                return Err(chain(&error.problem));
            }
            Render {
                commit: commit.to_owned(),
                key: format!("invalid {commit}"),
                settings,
                inputs: None,
                result: Err(errors.iter().map(problem).collect()),
            }
        }
    });
    memory.keep(made.clone());
    Ok(made)
}

fn problem(error: &RenderError) -> Problem {
    let place = error.line.map_or_else(|| error.file.to_string(), |line| format!("{}:{line}", error.file));
    Problem { place, message: error.problem.to_string() }
}

/// Whether another fetch may put it right, because it says nothing about what the files hold.
fn is_passing(error: &RenderError) -> bool {
    matches!(&error.problem, render::Problem::Read(ReadError::Object { .. } | ReadError::Io { .. }))
}

/// Joins the hash of the objects with the settings that shaped them. Not of the files: a comment, a README or another
/// file name is no change.
fn impact_key(settings: &str, objects: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(settings).chain_update(objects).finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns an error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}
