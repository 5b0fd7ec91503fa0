//! Keeps what the compiler says about every mistake in this directory.
//!
//! Calls the compiler with the libraries that this test is linked to. trybuild would build all of the runtime's
//! dependencies a second time, which takes minutes; a mistake takes a third of a second here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::Value;

/// The libraries that a declaration needs.
const LIBRARIES: [&str; 3] = ["bowline_macros", "bowline_runtime", "serde"];

#[test]
fn mistakes_are_reported_as_kept() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let libraries = libraries(crate_dir);
    let update = env::var_os("BOWLINE_UPDATE").is_some();
    let mut differing = Vec::new();
    for source in crate::snapshot::sources(&crate_dir.join("tests/fail")) {
        if source.ends_with("mod.rs") {
            continue;
        }
        let said = compile(crate_dir, &source, &libraries);
        let kept = source.with_extension("stderr");
        if update {
            fs::write(&kept, said).expect("a snapshot is writable");
        } else if fs::read_to_string(&kept).ok().as_deref() != Some(&said) {
            differing.push(format!("{}\n{said}", kept.display()));
        }
    }
    assert!(differing.is_empty(), "`BOWLINE_UPDATE=1` rewrites what differs:\n{}", differing.join("\n"));
}

/// Returns what the compiler says about a source that must not compile, without its closing summary.
fn compile(crate_dir: &Path, source: &Path, libraries: &[(&str, PathBuf)]) -> String {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(crate_dir).arg(source.strip_prefix(crate_dir).expect("invariant: a source is in the crate"));
    rustc.args(["--edition=2024", "--emit=metadata", "--color=never", "--diagnostic-width=200", "--cap-lints=allow"]);
    rustc.arg("--out-dir").arg(env!("CARGO_TARGET_TMPDIR"));
    for (name, path) in libraries {
        rustc.arg("--extern").arg(format!("{name}={}", path.display()));
        rustc.arg("-L").arg(format!("dependency={}", path.parent().expect("a library is in a directory").display()));
    }
    let Output { status, stderr, .. } = rustc.output().expect("`rustc` can be started");
    let said = String::from_utf8(stderr).expect("`rustc` writes UTF-8");
    assert!(!status.success(), "`{}` compiles, and should not", source.display());
    said.split("error: aborting due to").next().unwrap_or_default().trim_end().to_owned() + "\n"
}

/// Asks cargo for the libraries that it built for this test.
fn libraries(crate_dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--no-run", "--offline", "--quiet", "--message-format=json", "--test=main"]);
    let output = cargo.current_dir(crate_dir).output().expect("`cargo` can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("`cargo` writes UTF-8");
    let artifacts: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    LIBRARIES.iter().map(|name| (*name, library(name, &artifacts))).collect()
}

fn library(name: &str, artifacts: &[Value]) -> PathBuf {
    let of_name = artifacts.iter().filter(|artifact| artifact["target"]["name"] == name);
    let mut files = of_name.filter_map(|artifact| artifact["filenames"].as_array()).flatten().filter_map(Value::as_str);
    let is_library = |file: &&str| [".rlib", ".so", ".dylib", ".dll"].iter().any(|end| file.ends_with(end));
    files.rfind(is_library).unwrap_or_else(|| panic!("cargo names no library `{name}`")).into()
}
