//! Keeps the expansion of every declaration under `pass/`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Item};

#[test]
fn expansions_are_as_kept() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let update = env::var_os("BOWLINE_UPDATE").is_some();
    let mut differing = Vec::new();
    for input in sources(&tests.join("pass")) {
        let name = input.file_name().expect("invariant: a listed file has a name");
        let kept = tests.join("expand").join(name);
        let expansion = expand(&fs::read_to_string(&input).expect("a source is readable"));
        if update {
            fs::write(&kept, expansion).expect("a snapshot is writable");
        } else if fs::read_to_string(&kept).ok().as_deref() != Some(&expansion) {
            differing.push(format!("{}\n{expansion}", kept.display()));
        }
    }
    assert!(differing.is_empty(), "`BOWLINE_UPDATE=1` rewrites what differs:\n{}", differing.join("\n"));
}

#[test]
fn every_expansion_has_a_source_and_every_source_is_compiled() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for kept in sources(&tests.join("expand")) {
        let name = kept.file_name().expect("invariant: a listed file has a name");
        assert!(tests.join("pass").join(name).exists(), "`{}` has no source", kept.display());
    }
    let main = fs::read_to_string(tests.join("main.rs")).expect("a source is readable");
    for source in sources(&tests.join("pass")) {
        let name = source.file_stem().expect("invariant: a listed file has a name").display().to_string();
        assert!(main.contains(&format!("    mod {name};")), "`main.rs` does not compile `pass/{name}.rs`");
    }
}

/// Returns the Rust sources in a directory, sorted by name.
pub fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the directory exists");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths
}

/// Returns what the macros make of a file.
fn expand(source: &str) -> String {
    let file = syn::parse_file(source).expect("a source parses");
    let parts: Vec<String> = file.items.into_iter().filter_map(expand_item).collect();
    parts.join("\n")
}

fn expand_item(mut item: Item) -> Option<String> {
    let (attrs, name) = match &mut item {
        Item::Struct(item) => (&mut item.attrs, item.ident.to_string()),
        Item::Enum(item) => (&mut item.attrs, item.ident.to_string()),
        Item::Fn(item) => (&mut item.attrs, item.sig.ident.to_string()),
        _ => return None,
    };
    let taken = take_macro(attrs)?;
    let (title, tokens) = match taken {
        Macro::Schema => ("Schema", crate::schema::derive(item.into_token_stream())),
        Macro::Object => ("Object", crate::object::derive(item.into_token_stream())),
        Macro::Controller(arguments) => {
            ("controller", crate::controller::attribute(arguments, item.into_token_stream()))
        }
    };
    let expansion: syn::File = syn::parse2(tokens).expect("an expansion parses");
    Some(format!("// `{title}` of `{name}`\n{}", prettyplease::unparse(&expansion)))
}

enum Macro {
    Schema,
    Object,
    Controller(TokenStream),
}

/// Removes the attribute that calls one of the macros, and all derives.
fn take_macro(attrs: &mut Vec<Attribute>) -> Option<Macro> {
    let mut found = None;
    attrs.retain(|attr| {
        if attr.path().is_ident("controller") {
            found = Some(Macro::Controller(attr.meta.require_list().expect("arguments").tokens.clone()));
        } else if attr.path().is_ident("derive") {
            let list = attr.meta.to_token_stream().to_string();
            for (name, derive) in [("Schema", Macro::Schema), ("Object", Macro::Object)] {
                if list.contains(name) {
                    found = Some(derive);
                }
            }
        } else {
            return true;
        }
        false
    });
    found
}
