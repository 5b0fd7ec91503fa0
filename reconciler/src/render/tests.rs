//! Rendering of whole directories.

use std::fs;
use std::path::Path;

use super::*;
use crate::source::DirTree;

struct Case {
    root: tempfile::TempDir,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        Self { root }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn render(&self, path: &str) -> Result<Rendered, Vec<RenderError>> {
        render(&DirTree::open(self.path()).expect("a directory"), path, "default")
    }

    #[track_caller]
    fn check(&self, case: &str, path: &str, expected: &str) {
        let shown = match self.render(path) {
            Ok(rendered) => {
                let names =
                    rendered.objects.iter().map(|object| format!("{}={}", object.name("default").name, object.origin));
                names.collect::<Vec<_>>().join(" ")
            }
            Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        assert!(shown.starts_with(expected), "{case}:\n{shown}\nexpected:\n{expected}");
        if expected.is_empty() {
            assert_eq!(shown, "", "{case}");
        }
    }
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

#[test]
fn documents_are_found_in_byte_order_of_their_files() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: l1}\n- {apiVersion: v1, kind: Secret, metadata: {name: l2}}\n";
    let case = Case::new(&[
        ("b.yaml", &object("b")),
        ("a/z.yml", &format!("# c\n---\n{}---\n---\n{}", object("z1"), object("z2"))),
        ("a.json", "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"j\"}}"),
        ("list.yaml", list),
        ("bom.yaml", &format!("\u{feff}{}", object("bom").replace('\n', "\r\n"))),
        ("README.md", "not: [yaml"),
        (".github/workflow.yaml", "on: push"),
        ("empty.yaml", "# nothing\n"),
    ]);
    case.check(
        "all",
        "",
        "z1=a/z.yml:3 z2=a/z.yml:9 j=a.json:1 b=b.yaml:1 bom=bom.yaml:1 l1=list.yaml:4 l2=list.yaml:7",
    );
    case.check("below", "a", "z1=a/z.yml:3 z2=a/z.yml:9");
    case.check("decorated", "./a/", "z1=a/z.yml:3");
    case.check("missing", "aa", "aa: there is no directory `aa` in this revision (nearest: `a`)");
    case.check("outside", "../x", "../x: `../x` leads out");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let case = Case::new(&[
        ("a.yaml", "apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec:\n  a: 1\n  a: 2\n---\nb: [\n"),
        ("b.yaml", "apiversion: v1\nkind: X\n"),
        ("c.yaml", "- 1\n"),
        ("d.yaml", "apiVersion: v1\nkind: X\nmetadata: {name: 5}\n"),
        ("e.yaml", &object("twice")),
        ("f.yaml", &format!("{}  namespace: default\n", object("twice"))),
        ("g.yaml", "apiVersion: v1\nkind: X\nmetadata: {name: g}\nspec: .inf\n"),
        ("h.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
    ]);
    let errors: Vec<String> = case.render("").expect_err("mistakes").iter().map(ToString::to_string).collect();
    let expected = [
        "a.yaml:6:3: the key `a` is already set on line 5",
        "a.yaml:8:4: unclosed bracket",
        "b.yaml:1: the document has no `apiVersion`: a manifest has `apiVersion`, `kind` and `metadata.name` (nearest: `apiversion`); list files that are no manifests in `.bowlineignore`",
        "c.yaml:1: the document is not a mapping",
        "d.yaml:1: `metadata.name` is not a text",
        "f.yaml:1: `ConfigMap` `default/twice` is already declared at e.yaml:1",
        "g.yaml:4:7: `inf` has no form in JSON",
        "h.yaml: this is a Git LFS pointer",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "`{error}` is not `{expected}`");
    }
}

#[test]
fn ignored_files_are_left_out() {
    let case = Case::new(&[
        (".bowlineignore", "values.yaml\ncharts/\n"),
        ("values.yaml", "x: 1"),
        ("charts/Chart.yaml", "x: 1"),
        ("sub/.bowlineignore", "/only-here/*.yaml"),
        ("sub/only-here/x.yaml", "x: 1"),
        ("sub/values.yaml", "x: 1"),
        ("ok.yaml", &object("ok")),
    ]);
    case.check("patterns", "", "ok=ok.yaml:1");
    fs::write(case.path().join(".bowlineignore"), "[a-z]\n").expect("a file");
    case.check("a wrong pattern", "", ".bowlineignore:1: the pattern `[a-z]` is not understood");
}

#[test]
fn links_are_followed_inside_the_root_only() {
    let case = Case::new(&[("base/a.yaml", &object("a")), ("app/b.yaml", &object("b"))]);
    let link = |target: &str, at: &str| std::os::unix::fs::symlink(target, case.path().join(at)).expect("a link");
    link("../base/a.yaml", "app/link.yaml");
    case.check("a file", "app", "b=app/b.yaml:1 a=app/link.yaml:1");
    link("app", "name");
    case.check("the directory itself", "name", "b=app/b.yaml:1");
    link("/etc/hostname", "app/outside.yaml");
    case.check("absolute", "app", "app/outside.yaml: `app/outside.yaml` leads out");
    fs::remove_file(case.path().join("app/outside.yaml")).expect("removed");
    link("../../../etc/hostname", "app/outside.yaml");
    case.check("above the root", "app", "app/outside.yaml: `app/outside.yaml` leads out");
    fs::remove_file(case.path().join("app/outside.yaml")).expect("removed");
    link("../app", "app/again");
    case.check("a circle", "app", "app/again: this symbolic link leads back");
    fs::remove_file(case.path().join("app/again")).expect("removed");
    link("loop.yaml", "app/loop.yaml");
    case.check("a link to itself", "app", "app/loop.yaml: `app/loop.yaml` leads through more than");
}

#[test]
fn the_hash_of_the_inputs_follows_what_was_read() {
    let case =
        Case::new(&[("base/a.yaml", &object("a")), ("app/b.yaml", &object("b")), ("other/c.yaml", &object("c"))]);
    std::os::unix::fs::symlink("../base", case.path().join("app/base")).expect("a link");
    let rendered = case.render("app").expect("valid");
    let now = || inputs_hash(&DirTree::open(case.path()).expect("open"), &rendered.inputs).expect("a hash");
    assert_eq!(now(), rendered.inputs_hash, "nothing changed");
    fs::write(case.path().join("other/c.yaml"), "x: 1").expect("a file");
    assert_eq!(now(), rendered.inputs_hash, "a stranger changed");
    fs::write(case.path().join("base/a.yaml"), object("a2")).expect("a file");
    assert_ne!(now(), rendered.inputs_hash, "a linked file changed");
}

#[test]
fn field_paths_lead_to_lines() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    x.y/z: v\nspec:\n  containers:\n  - name: c\n    image: i\n    env: &e\n    - name: A\n      value: b\n  - name: d\n    env: *e\n";
    let case = Case::new(&[("a.yaml", &format!("---\n{text}"))]);
    let rendered = case.render("").expect("valid");
    let object = &rendered.objects[0];
    for (path, line) in [
        ("", 2),
        ("kind", 3),
        ("metadata.annotations[x.y/z]", 7),
        ("spec.containers[0].image", 11),
        ("spec.containers[0].command", 10),
        ("spec.containers[1]", 15),
        ("spec.containers[1].env[0].value", 14),
        ("spec.volumes", 8),
        ("status", 2),
    ] {
        assert_eq!(object.line_of(path), line, "{path}");
    }
    assert_eq!(object.positions.line("/metadata/annotations/x.y~1z"), Some(7));
    assert_eq!(object.positions.line("/nothing"), None);
}

#[test]
fn a_cache_keeps_what_did_not_change_and_forgets_what_is_gone() {
    let root = tempfile::tempdir().expect("a directory");
    let repository = git2::Repository::init(root.path()).expect("a repository");
    let source = crate::source::Source::open(
        root.path().join("unused"),
        crate::source::RepoUrl::from_path(root.path()).expect("a path"),
    );
    let mut cache = RenderCache::default();
    let mut commit = |files: &[(&str, String)]| {
        let mut tree = repository.treebuilder(None).expect("a tree");
        for (name, text) in files {
            tree.insert(name, repository.blob(text.as_bytes()).expect("a blob"), 0o100_644).expect("an entry");
        }
        let tree = repository.find_tree(tree.write().expect("a tree")).expect("a tree");
        let person = git2::Signature::new("a", "a@b", &git2::Time::new(0, 0)).expect("a person");
        let id = repository.commit(None, &person, &person, "x", &tree, &[]).expect("a commit");
        let tree = source.tree(id.into()).expect("a tree");
        render_with(&tree, "", &mut cache, &|manifest| manifest).expect("valid").objects
    };
    let first = commit(&[("a.yaml", object("a")), ("b.yaml", object("b"))]);
    let second = commit(&[("a.yaml", object("a")), ("b.yaml", object("c"))]);
    assert!(Arc::ptr_eq(&first[0], &second[0]), "an unchanged file is not read again");
    assert_eq!(second[1].name("x").name, "c");
    commit(&[("a.yaml", object("a"))]);
    assert_eq!(cache.files.len(), 1, "what is gone is forgotten");
}

#[test]
fn a_link_in_the_middle_is_an_input() {
    let case = Case::new(&[("x/a.yaml", &object("a")), ("y/a.yaml", &object("b")), ("app/b.yaml", &object("c"))]);
    let link = |target: &str, at: &str| {
        std::os::unix::fs::symlink(target, case.path().join(at)).expect("a link");
    };
    link("x", "current");
    link("../current/a.yaml", "app/a.yaml");
    let rendered = case.render("app").expect("valid");
    fs::remove_file(case.path().join("current")).expect("removed");
    link("y", "current");
    let now = inputs_hash(&DirTree::open(case.path()).expect("open"), &rendered.inputs).expect("a hash");
    assert_ne!(now, rendered.inputs_hash);
}
