//! `bowline init`: a config repository to start from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::exit;

/// Make a config repository from the template
///
/// Writes the example system and makes a first commit. Refuses a directory that holds anything.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory to make
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

macro_rules! template {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../repo-template/", $path)))),*]
    };
}

/// The template's files, path and content.
const TEMPLATE: &[(&str, &str)] = template![
    ".bowlineignore",
    ".github/workflows/check.yaml",
    "README.md",
    "applications.yaml",
    "environments/production/config.yaml",
    "environments/production/namespace.yaml",
    "environments/production/prepare.yaml",
    "environments/production/report.yaml",
    "environments/production/web.yaml",
    "environments/staging/config.yaml",
    "environments/staging/namespace.yaml",
    "environments/staging/prepare.yaml",
    "environments/staging/report.yaml",
    "environments/staging/web.yaml",
];

/// Runs the verb.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let dir = &args.dir;
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        anyhow::bail!("`{}` is not empty: name a new directory", dir.display());
    }
    for (path, content) in TEMPLATE {
        let file = dir.join(path);
        let parent = file.parent().expect("invariant: a template file stands in a directory");
        fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
        fs::write(&file, content).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    commit(dir).with_context(|| format!("cannot make a Git repository of `{}`", dir.display()))?;
    println!("{} is a config repository with {} files, committed on `main`.", dir.display(), TEMPLATE.len());
    println!("Next: bowline up {}", dir.display());
    Ok(exit::OK)
}

fn commit(dir: &Path) -> Result<(), git2::Error> {
    let mut options = git2::RepositoryInitOptions::new();
    options.initial_head("main").external_template(false);
    let repository = git2::Repository::init_opts(dir, &options)?;
    let mut index = repository.index()?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = repository.signature().or_else(|_| git2::Signature::now("bowline", "bowline@localhost"))?;
    repository.commit(Some("HEAD"), &author, &author, "Start from bowline's template\n", &tree, &[])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_template_is_written() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../repo-template"));
        let mut found = Vec::new();
        let mut todo = vec![root.to_owned()];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(&dir).expect("the template is beside the crate") {
                let path = entry.expect("an entry reads").path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    found.push(path.strip_prefix(root).expect("below root").to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        assert_eq!(found, TEMPLATE.iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>());
    }
}
