//! Commits fetched from real and from hostile Git servers.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bowline::source::{
    Access, Content, Credentials, EntryKind, FetchError, Files, GitRef, Limits, RepoUrl, Source, resolve,
};
use bowline_tests::git_server::{GitServer, PASSWORD, RawServer, Repo, Request, USER};
use tempfile::TempDir;

struct World {
    directory: TempDir,
    repo: Repo,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let repo = Repo::init(directory.path().join("root/config")).expect("a repository");
        Self { directory, repo }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn commit(&self, text: &str) -> String {
        self.repo.commit(&[("app/a.yaml", text)], &format!("write {text}")).expect("a commit")
    }

    fn source(&self, url: &str) -> Source {
        Source::open(self.cache(), RepoUrl::parse(url).expect("a valid URL"))
    }

    fn server(&self, tls: bool) -> Option<GitServer> {
        GitServer::start(&self.root(), tls).expect("the server starts")
    }
}

fn fetch(source: &Source, reference: &str) -> Result<String, FetchError> {
    let reference = GitRef::parse(reference).expect("a valid ref");
    source.fetch(&reference, &limits(), &Access::default()).map(|commit| commit.id.to_string())
}

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(5), stall: Duration::from_secs(10), ..Limits::default() }
}

fn text(source: &Source, commit: &str, path: &str) -> String {
    let id = bowline::source::CommitId::parse(commit).expect("an id");
    match source.tree(id).expect("a tree").read(path, 1 << 20).expect("a file") {
        Content::Bytes(bytes) => String::from_utf8(bytes).expect("text"),
        Content::LfsPointer => "LFS pointer".to_owned(),
    }
}

#[track_caller]
fn refused(result: Result<String, FetchError>, reason: &str, said: &str) {
    let error = result.expect_err("refused");
    let text = format!("{error}");
    assert_eq!(error.reason(), reason, "{text}");
    assert!(text.contains(said), "`{text}` lacks `{said}`");
    assert!(!text.contains(PASSWORD), "a secret is shown: {text}");
}

#[test]
fn a_repository_on_this_host_is_read_where_it_is() {
    let world = World::new();
    let source = world.source(world.repo.path().to_str().expect("UTF-8"));
    refused(fetch(&source, "main"), "RefMissing", "no commits yet");
    let first = world.commit("one");
    world.repo.git(["tag", "--annotate", "--message", "x", "v1"]).expect("a tag");
    let second = world.commit("two");
    for (reference, expected) in
        [("HEAD", &second), ("main", &second), ("refs/heads/main", &second), ("v1", &first), (first.as_str(), &first)]
    {
        assert_eq!(&fetch(&source, reference).expect("found"), expected, "{reference}");
    }
    assert_eq!(text(&source, &first, "app/a.yaml"), "one");
    assert_eq!(text(&source, &second, "app/a.yaml"), "two");
    assert!(!world.cache().exists(), "nothing is copied");
    refused(fetch(&source, "mein"), "RefMissing", "there is `main`");
    let id = |text: &str| bowline::source::CommitId::parse(text).expect("an id");
    assert!(source.is_ancestor(id(&first), id(&second)).expect("both are here"));
    assert!(!source.is_ancestor(id(&second), id(&first)).expect("both are here"));
    let commit = source.commit(id(&second)).expect("here");
    assert_eq!((commit.subject.as_str(), commit.author.as_str()), ("write two", "Ada <ada@example.com>"));
    refused(fetch(&world.source("/nonexistent"), "main"), "NotARepository", "the path does not exist");
    let plain = world.directory.path().to_str().expect("UTF-8");
    refused(fetch(&world.source(plain), "main"), "NotARepository", "there is no `.git`");
}

#[test]
fn the_tree_of_a_commit_shows_links_and_submodules_as_such() {
    let world = World::new();
    let app = world.repo.path().join("app");
    fs::create_dir_all(&app).expect("a directory");
    std::os::unix::fs::symlink("a.yaml", app.join("link.yaml")).expect("a link");
    std::os::unix::fs::symlink("../../../etc/passwd", app.join("out.yaml")).expect("a link");
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let first = world.repo.commit(&[("app/a.yaml", "one"), ("app/lfs.yaml", lfs)], "files").expect("a commit");
    world.repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{first},app/sub")]).expect("a submodule");
    world.repo.git(["commit", "--quiet", "--message", "submodule"]).expect("a commit");
    let source = world.source(world.repo.path().to_str().expect("UTF-8"));
    let commit = source.fetch(&GitRef::Head, &limits(), &Access::default()).expect("found");
    let tree = source.tree(commit.id).expect("a tree");
    let kinds: Vec<_> = tree.list("app").expect("a list").into_iter().map(|entry| (entry.path, entry.kind)).collect();
    let expected = [
        ("app/a.yaml", EntryKind::File),
        ("app/lfs.yaml", EntryKind::File),
        ("app/link.yaml", EntryKind::Symlink),
        ("app/out.yaml", EntryKind::Symlink),
        ("app/sub", EntryKind::Submodule),
    ];
    assert_eq!(kinds, expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert_eq!(tree.read("app/lfs.yaml", 1000).expect("a file"), Content::LfsPointer);
    assert_eq!(resolve(&tree, "app/link.yaml").expect("inside"), "app/a.yaml");
    assert!(resolve(&tree, "app/out.yaml").expect_err("outside").to_string().contains("leads out"));
    assert!(tree.read("../a", 1000).is_err());
    assert!(tree.read("app", 1000).expect_err("a directory").to_string().contains("is not a file"));
    assert!(tree.read("app/a.yaml", 2).expect_err("too large").to_string().contains("3 bytes"));
    assert!(tree.entry("app/none").expect("readable").is_none());
    let hash = |commit: &str| {
        let id = bowline::source::CommitId::parse(commit).expect("an id");
        let tree = source.tree(id).expect("a tree");
        tree.tree_hash("app").expect("readable").expect("there")
    };
    let second = world.repo.commit(&[("other/b.yaml", "x")], "elsewhere").expect("a commit");
    let third = world.repo.commit(&[("app/a.yaml", "two")], "here").expect("a commit");
    assert_eq!(hash(&first), hash(&second), "a commit elsewhere");
    assert_ne!(hash(&second), hash(&third), "a commit here");
}

#[test]
fn a_commit_to_a_repository_on_this_host_is_noticed_at_once() {
    let world = World::new();
    world.commit("one");
    let source = world.source(world.repo.path().to_str().expect("UTF-8"));
    let (sender, receiver) = mpsc::channel();
    let watch = source.watch(move || sender.send(()).unwrap_or_default()).expect("a watch").expect("it is local");
    let next = |case: &str| {
        receiver.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| panic!("{case} is not noticed"));
        while receiver.recv_timeout(Duration::from_millis(300)).is_ok() {}
    };
    world.commit("two");
    next("a commit");
    world.repo.git(["branch", "feature/deep/er"]).expect("a branch");
    next("a branch in new directories");
    world.repo.git(["branch", "--force", "feature/deep/er", "HEAD~1"]).expect("a move");
    next("a move of it");
    world.repo.git(["pack-refs", "--all"]).expect("packed");
    next("packing");
    world.repo.git(["branch", "feature/deep/other"]).expect("a branch");
    next("a branch where packing removed the directories");
    world.repo.git(["checkout", "--quiet", "-b", "else"]).expect("a checkout");
    next("a change of HEAD");
    fs::rename(world.repo.path(), world.root().join("away")).expect("renamed");
    next("the repository going away");
    let again = Repo::init(world.repo.path()).expect("a repository");
    again.commit(&[("a", "b")], "again").expect("a commit");
    next("the repository coming back");
    again.commit(&[("a", "c")], "again").expect("a commit");
    next("a commit to the new one");
    drop(watch);
}

#[test]
fn a_remote_repository_is_cloned_then_fetched_incrementally() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    let source = world.source(&server.url("git/config"));
    refused(fetch(&source, "main"), "RefMissing", "no commits yet");
    let first = world.commit("one");
    world.repo.git(["tag", "--annotate", "--message", "x", "v1"]).expect("a tag");
    assert_eq!(fetch(&source, "main").expect("found"), first);
    assert_eq!(text(&source, &first, "app/a.yaml"), "one");
    let asked = server.requests().len();
    assert_eq!(fetch(&source, "main").expect("found"), first);
    assert_eq!(server.requests().len(), asked + 1, "an unmoved ref costs one request: {:#?}", server.requests());
    let second = world.commit("two");
    for (reference, expected) in [("HEAD", &second), ("main", &second), ("v1", &first), (second.as_str(), &second)] {
        assert_eq!(&fetch(&source, reference).expect("found"), expected, "{reference}");
    }
    let asked = server.requests().len();
    assert_eq!(fetch(&source, &second).expect("found"), second);
    assert_eq!(server.requests().len(), asked, "a commit that is here costs no request");
    assert!(server.requests()[0].contains("agent=git/2"), "{:?}", server.requests()[0]);
    refused(fetch(&source, "mein"), "RefMissing", "there is `main`");
    world.repo.git(["commit", "--quiet", "--amend", "--message", "rewritten"]).expect("a rewrite");
    let rewritten = fetch(&source, "main").expect("found");
    let id = |text: &str| bowline::source::CommitId::parse(text).expect("an id");
    assert!(!source.is_ancestor(id(&second), id(&rewritten)).expect("readable"), "rewritten history is noticed");
    assert!(source.is_ancestor(id(&first), id(&rewritten)).expect("readable"));
    refused(fetch(&world.source(&server.url("git/none")), "main"), "RepositoryNotFound", "no repository at");
}

#[test]
fn a_commit_that_no_ref_points_at_is_found_by_its_id() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    let first = world.commit("one");
    world.commit("two");
    let source = world.source(&server.url("git/config"));
    assert_eq!(fetch(&source, &first).expect("found"), first);
    assert_eq!(text(&source, &first, "app/a.yaml"), "one");
    refused(fetch(&source, &"0123456789".repeat(4)), "RefMissing", "commit `0123456789");
}

#[test]
fn a_broken_cache_is_replaced() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    let first = world.commit("one");
    let source = world.source(&server.url("git/config"));
    assert_eq!(fetch(&source, "main").expect("found"), first);
    let packs = world.cache().join("objects/pack");
    for entry in fs::read_dir(&packs).expect("a directory").flatten() {
        fs::remove_file(entry.path()).expect("removed");
    }
    assert_eq!(fetch(&source, "main").expect("found again"), first);
    assert_eq!(text(&source, &first, "app/a.yaml"), "one");
    fs::write(world.cache().join("config"), "[core\nnonsense").expect("a file");
    assert_eq!(fetch(&source, "main").expect("found again"), first);
    fs::write(world.cache().join("HEAD"), "").expect("a file");
    let second = world.commit("two");
    assert_eq!(fetch(&source, "main").expect("found again"), second);
    for entry in fs::read_dir(&packs).expect("a directory").flatten() {
        fs::remove_file(entry.path()).expect("removed");
    }
    let third = world.commit("three");
    assert_eq!(fetch(&source, "main").expect("found again"), third);
    assert_eq!(text(&source, &third, "app/a.yaml"), "three");
    source.discard_cache().expect("removed");
    assert_eq!(fetch(&source, "main").expect("found again"), third);
    let left: Vec<_> =
        fs::read_dir(world.directory.path()).expect("a directory").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left over: {left:?}");
}

#[test]
fn tls_needs_the_right_authority() {
    let world = World::new();
    let Some(server) = world.server(true) else {
        return;
    };
    let first = world.commit("one");
    let source = world.source(&server.url("git/config"));
    refused(fetch(&source, "main"), "Unreachable", "ertificate");
    let access = Access { ca_pem: Some(server.ca_pem().expect("a certificate").into()), ..Access::default() };
    let commit = source.fetch(&GitRef::Head, &limits(), &access).expect("found");
    assert_eq!(commit.id.to_string(), first);
    let access = Access { ca_pem: Some(b"nonsense"[..].into()), ..Access::default() };
    let error = source.fetch(&GitRef::Head, &limits(), &access).expect_err("refused");
    assert_eq!(error.reason(), "InvalidCertificateAuthority", "{error}");
}

#[test]
fn credentials_open_private_repositories_and_are_never_shown() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    let first = world.commit("one");
    let url = server.url("private/config");
    let source = world.source(&url);
    refused(fetch(&source, "main"), "AuthenticationFailed", "it needs credentials");
    let basic = |password: &str| {
        let credentials = Credentials::Basic { user: USER.to_owned(), password: password.to_owned() };
        Access { credentials: Some(credentials), ..Access::default() }
    };
    let ask = |access: &Access| source.fetch(&GitRef::Head, &limits(), access).map(|commit| commit.id.to_string());
    refused(ask(&basic("wrong")), "AuthenticationFailed", "wrong, expired");
    assert_eq!(ask(&basic(PASSWORD)).expect("found"), first);
    let inside = world.source(&url.replace("://", &format!("://{USER}:{PASSWORD}@")));
    assert_eq!(fetch(&inside, "main").expect("found"), first);
    assert!(!format!("{inside:?} {}", inside.url()).contains(PASSWORD));
    refused(fetch(&inside, "none"), "RefMissing", "none");
}

#[test]
fn redirects_stay_on_their_host() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    let first = world.commit("one");
    assert_eq!(fetch(&world.source(&server.url("moved/config")), "main").expect("followed"), first);
    refused(fetch(&world.source(&server.url("elsewhere/config")), "main"), "RedirectRefused", "another host");
    refused(fetch(&world.source(&server.url("round/config")), "main"), "RedirectRefused", "too many");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let log = seen.clone();
    let stranger = RawServer::start(move |request, _, _| {
        log.lock().expect("a lock").extend(request.headers.iter().cloned());
    })
    .expect("a server");
    let target = stranger.url("x/info/refs");
    let hostile = RawServer::start(move |_, stream, _| {
        respond(stream, &format!("302 Found\r\nLocation: {target}\r\nContent-Length: 0"), b"");
    })
    .expect("a server");
    let url = hostile.url("x").replace("://", &format!("://{USER}:{PASSWORD}@"));
    refused(fetch(&world.source(&url), "main"), "RedirectRefused", "another port");
    assert_eq!(stranger.requests(), 0, "nothing is sent to the other server: {:?}", seen.lock());
}

fn respond(stream: &mut TcpStream, head: &str, body: &[u8]) {
    // The client may have gone: that is what some tests are about.
    let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(body);
}

const REFS: &str = "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement";
const RESULT: &str = "200 OK\r\nContent-Type: application/x-git-upload-pack-result";

fn hostile(
    world: &World,
    answer: impl Fn(&Request, &mut TcpStream, &AtomicBool) + Send + Sync + 'static,
) -> (RawServer, Source) {
    let server = RawServer::start(answer).expect("a server");
    let source = world.source(&server.url("x"));
    (server, source)
}

#[test]
fn statuses_become_errors_that_say_what_to_do() {
    let world = World::new();
    for (head, reason, said) in [
        ("401 Unauthorized", "AuthenticationFailed", "it needs credentials"),
        ("403 Forbidden", "AuthenticationFailed", "HTTP 403"),
        ("404 Not Found", "RepositoryNotFound", "private repository"),
        ("429 Too Many Requests\r\nRetry-After: 7", "RateLimited", "in 7 s"),
        ("500 Oops", "ServerError", "HTTP 500"),
        ("200 OK\r\nContent-Type: text/html", "NotARepository", "`text/html`"),
        ("301 Moved", "RedirectRefused", "no valid target"),
    ] {
        let (_server, source) = hostile(&world, move |_, stream, _| respond(stream, head, b"<html>"));
        refused(fetch(&source, "main"), reason, said);
    }
    let (server, source) = hostile(&world, |_, _, _| {});
    drop(server);
    refused(fetch(&source, "main"), "Unreachable", "cannot reach");
    refused(fetch(&world.source("https://host.invalid/x"), "main"), "Unreachable", "host.invalid");
}

fn impatient() -> Limits {
    let millis = Duration::from_millis;
    Limits { connect: millis(500), stall: millis(500), total: millis(5000), ..Limits::default() }
}

#[track_caller]
fn gives_up(source: &Source, limits: &Limits, reason: &str) {
    let started = Instant::now();
    let result = source.fetch(&GitRef::Head, limits, &Access::default()).map(|commit| commit.id.to_string());
    refused(result, reason, "127.0.0.1");
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
}

#[test]
fn servers_that_are_silent_slow_or_endless_are_given_up() {
    let world = World::new();
    let until_end = |ended: &AtomicBool| {
        while !ended.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    let (_server, source) = hostile(&world, move |_, _, ended| until_end(ended));
    gives_up(&source, &impatient(), "Stalled");
    let (_server, source) = hostile(&world, move |_, stream, ended| {
        respond(stream, REFS, b"001e# service=git-upload-pack\n0000");
        until_end(ended);
    });
    gives_up(&source, &impatient(), "Stalled");
    let trickle = |_: &Request, stream: &mut TcpStream, ended: &AtomicBool| {
        respond(stream, REFS, b"ffe0#");
        while !ended.load(Ordering::SeqCst) && stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    };
    let (_server, source) = hostile(&world, trickle);
    gives_up(&source, &impatient(), "TooSlow");
    let patient = Limits { bytes_per_second_min: 0, total: Duration::from_millis(900), ..impatient() };
    gives_up(&source, &patient, "Timeout");
    let (_server, source) = hostile(&world, |_, stream, ended| {
        respond(stream, REFS, b"001e# service=git-upload-pack\n0000");
        let line = format!("0043{} refs/heads/x123456789\n", "0123456789".repeat(4));
        while !ended.load(Ordering::SeqCst) && stream.write_all(line.as_bytes()).is_ok() {}
    });
    gives_up(&source, &Limits { refs_bytes_max: 1 << 20, ..limits() }, "TooLarge");
}

/// Answers as the real server does and lets `change` alter the answers to POST.
fn proxy(server: &GitServer, change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> RawServer {
    let base = server.url("git/config");
    RawServer::start(move |request, stream, _| {
        let post = request.line.starts_with("POST");
        let path = if post { "git-upload-pack" } else { "info/refs?service=git-upload-pack" };
        let mut command = Command::new("curl");
        command.args(["--silent", "--noproxy", "*", &format!("{base}/{path}")]);
        let body = tempfile::NamedTempFile::new().expect("a file");
        if post {
            fs::write(body.path(), &request.body).expect("written");
            command.args(["-H", "Content-Type: application/x-git-upload-pack-request", "--data-binary"]);
            command.arg(format!("@{}", body.path().display()));
        }
        let answer = command.output().expect("curl runs").stdout;
        if post {
            respond(stream, RESULT, &change(answer));
        } else {
            respond(stream, REFS, &answer);
        }
    })
    .expect("a server")
}

#[test]
fn broken_packs_leave_what_was_there() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: `curl` is missing");
        return;
    }
    let first = world.commit("one");
    let honest = proxy(&server, |answer| answer);
    assert_eq!(fetch(&world.source(&honest.url("x")), "main").expect("found"), first);
    let second = world.commit("two");
    let cut = proxy(&server, |mut answer| {
        answer.truncate(answer.len() / 2);
        answer
    });
    let source = world.source(&cut.url("x"));
    let error = fetch(&source, "main").expect_err("refused");
    assert!(matches!(error.reason(), "Corrupt" | "Interrupted" | "ProtocolError"), "{} {error}", error.reason());
    assert_eq!(text(&source, &first, "app/a.yaml"), "one", "what was there stays");
    let flipped = proxy(&server, |mut answer| {
        if let Some(pack) = answer.windows(4).position(|part| part == b"PACK") {
            answer[pack + 20] ^= 0x55;
        }
        answer
    });
    let source = world.source(&flipped.url("x"));
    let error = fetch(&source, "main").expect_err("refused");
    assert!(matches!(error.reason(), "Corrupt" | "ProtocolError"), "{} {error}", error.reason());
    assert_eq!(text(&source, &first, "app/a.yaml"), "one", "what was there stays");
    let small = Limits { pack_bytes_max: 100, ..limits() };
    let source = world.source(&server.url("git/config"));
    let error = source.fetch(&GitRef::Head, &small, &Access::default()).expect_err("refused");
    assert_eq!(error.reason(), "TooLarge", "{error}");
    assert_eq!(fetch(&source, "main").expect("found"), second);
    assert!(Path::new(&world.cache()).exists());
}

#[test]
fn many_fetches_leave_few_packs() {
    let world = World::new();
    let Some(server) = world.server(false) else {
        return;
    };
    let source = world.source(&server.url("git/config"));
    let first = world.commit("one");
    world.repo.git(["tag", "--annotate", "--message", "x", "v1"]).expect("a tag");
    assert_eq!(fetch(&source, "v1").expect("found"), first);
    let mut last = first.clone();
    for round in 0..60 {
        last = world.commit(&format!("round {round}"));
        assert_eq!(fetch(&source, "main").expect("found"), last);
    }
    let packs = fs::read_dir(world.cache().join("objects/pack")).expect("a directory");
    let packs = packs.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"));
    assert!(packs.count() <= 51);
    assert_eq!(text(&source, &last, "app/a.yaml"), "round 59");
    assert_eq!(text(&source, &first, "app/a.yaml"), "one");
    assert_eq!(fetch(&source, "v1").expect("found"), first);
}
