//! Pulls from a real registry (Debian's `docker-registry`) on loopback, and from one behind a line that breaks.

mod broken_line;
mod registry;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::broken_line::{Break, BrokenLine};
use self::registry::{HTPASSWD, Registry};
use super::testing::{Tar, TestImage, TestStore, gzip, is_root};
use super::{Digest, Image, ImageReference, PullError, PullPolicy, PullProgress, RegistryAuth, StoreOptions};
use crate::api::chain;

/// Options with bounds that let a test of a broken line end soon.
fn impatient() -> StoreOptions {
    StoreOptions { stall: Duration::from_secs(2), answer: Duration::from_secs(5), ..StoreOptions::default() }
}

async fn pull(fixture: &TestStore, name: &str, policy: PullPolicy) -> Result<Image, PullError> {
    fixture.store.pull(name, policy, &RegistryAuth::Anonymous, Arc::new(|_| {})).await
}

#[track_caller]
fn check_failed(case: &str, result: Result<Image, PullError>, reason: &str, message: &str) {
    let error = result.expect_err(case);
    let text = chain(&error);
    assert_eq!(error.reason(), reason, "{case}: {text}");
    assert!(text.contains(message), "{case}: {text}");
}

#[tokio::test]
async fn images_are_pulled_by_tag_and_by_digest_and_fetched_once() {
    let Some(registry) = Registry::start("images_are_pulled_by_tag_and_by_digest_and_fetched_once", None) else {
        return;
    };
    let (sample, fixture) = (TestImage::sample(), TestStore::new());
    registry.push(&sample, "team/app:1", &RegistryAuth::Anonymous).await;
    let name = registry.name("team/app:1");
    let image = pull(&fixture, &name, PullPolicy::IfNotPresent).await.unwrap();
    assert_eq!((image.digest.clone(), image.reference.as_str()), (sample.digest(), name.as_str()));
    assert_eq!(image.image_id, format!("{}@{}", registry.name("team/app"), sample.digest()));
    super::tests::check_sample("pulled", &image);
    let events = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&events);
    let note: super::Progress = Arc::new(move |event| noted.lock().unwrap().push(event));
    let again = fixture.store.pull(&name, PullPolicy::Always, &RegistryAuth::Anonymous, note).await.unwrap();
    assert_eq!(again, image);
    assert_eq!(*events.lock().unwrap(), [PullProgress::Resolving], "nothing is fetched twice");
    let pinned = format!("{}@{}", registry.name("team/app"), sample.digest());
    assert_eq!(pull(&fixture, &pinned, PullPolicy::IfNotPresent).await.unwrap().digest, sample.digest());
    let kept: Vec<_> = fixture.store.list().unwrap().into_iter().map(|listed| listed.reference).collect();
    assert_eq!(kept, [name, pinned]);
    assert_eq!(
        fs::read_dir(fixture.path("images/blobs/sha256")).unwrap().count(),
        2,
        "archives of layers are not kept"
    );
    fixture.assert_no_leftovers();
}

#[tokio::test]
async fn a_tag_that_moved_is_followed_only_when_the_policy_says_so() {
    let Some(registry) = Registry::start("a_tag_that_moved_is_followed_only_when_the_policy_says_so", None) else {
        return;
    };
    let fixture = TestStore::new();
    let (old, new) = (TestImage::sample(), TestImage::new(vec![(Tar::new().file("new", "n").bytes(), gzip)]));
    registry.push(&old, "app:1", &RegistryAuth::Anonymous).await;
    let name = registry.name("app:1");
    pull(&fixture, &name, PullPolicy::Always).await.unwrap();
    registry.push(&new, "app:1", &RegistryAuth::Anonymous).await;
    assert_eq!(pull(&fixture, &name, PullPolicy::IfNotPresent).await.unwrap().digest, old.digest());
    assert_eq!(pull(&fixture, &name, PullPolicy::Always).await.unwrap().digest, new.digest());
    drop(registry);
    assert_eq!(
        pull(&fixture, &name, PullPolicy::IfNotPresent).await.unwrap().digest,
        new.digest(),
        "cached images need no registry"
    );
    check_failed(
        "registry gone",
        pull(&fixture, &name, PullPolicy::Always).await,
        "RegistryUnavailable",
        "is unavailable",
    );
}

#[tokio::test]
async fn an_index_leads_to_the_variant_of_this_host() {
    let Some(registry) = Registry::start("an_index_leads_to_the_variant_of_this_host", None) else {
        return;
    };
    let (fixture, mine, foreign) = (TestStore::new(), TestImage::sample(), TestImage::for_platform("s390x", vec![]));
    registry.push(&mine, "app:mine", &RegistryAuth::Anonymous).await;
    registry.push(&foreign, "app:foreign", &RegistryAuth::Anonymous).await;
    let index = registry.push_index(&[("s390x", &foreign), (super::document::ARCHITECTURE, &mine)], "app:1").await;
    registry.push_index(&[("s390x", &foreign)], "app:2").await;
    let image = pull(&fixture, &registry.name("app:1"), PullPolicy::Always).await.unwrap();
    assert_eq!(image.digest, mine.digest());
    assert_eq!(image.image_id, format!("{}@{index}", registry.name("app")));
    let pinned = format!("{}@{index}", registry.name("app"));
    assert_eq!(pull(&fixture, &pinned, PullPolicy::IfNotPresent).await.unwrap().digest, mine.digest());
    for name in ["app:2", "app:foreign"] {
        let result = pull(&fixture, &registry.name(name), PullPolicy::Always).await;
        check_failed(name, result, "ErrImagePull", "it offers linux/s390x");
    }
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_named_and_leaves_nothing() {
    let Some(registry) = Registry::start("what_is_missing_or_damaged_is_named_and_leaves_nothing", None) else {
        return;
    };
    let (sample, fixture) = (TestImage::sample(), TestStore::with(impatient()));
    registry.push(&sample, "app:1", &RegistryAuth::Anonymous).await;
    let name = registry.name("app:nope");
    let message = format!("image \"{name}\" not found in registry {}", registry.address);
    check_failed("tag", pull(&fixture, &name, PullPolicy::Always).await, "ErrImagePull", &message);
    let name = registry.name("nobody/nothing:1");
    let message = format!("image \"{name}\" not found in registry {}", registry.address);
    check_failed("repository", pull(&fixture, &name, PullPolicy::Always).await, "ErrImagePull", &message);
    let name = format!("{}@{}", registry.name("app"), Digest::of(b"absent"));
    check_failed("digest", pull(&fixture, &name, PullPolicy::Always).await, "ErrImagePull", "not found in registry");
    let blob = registry.blob(&Digest::of(&sample.layers[0]));
    let good = fs::read(&blob).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&blob, &bad).unwrap();
    let name = registry.name("app:1");
    check_failed(
        "flipped bit",
        pull(&fixture, &name, PullPolicy::Always).await,
        "ErrImagePull",
        "sent wrong bytes for blob",
    );
    fixture.assert_no_leftovers();
    assert!(fixture.store.find(&ImageReference::parse(&name).unwrap()).unwrap().is_none());
    fs::write(&blob, &good).unwrap();
    pull(&fixture, &name, PullPolicy::Always).await.expect("the blob is whole again");
}

#[tokio::test]
async fn credentials_are_needed_where_the_registry_asks_for_them() {
    let Some(registry) = Registry::start("credentials_are_needed_where_the_registry_asks_for_them", Some(HTPASSWD))
    else {
        return;
    };
    let fixture = TestStore::new();
    let right = RegistryAuth::Basic("ana".into(), "s3cret".into());
    registry.push(&TestImage::sample(), "app:1", &right).await;
    let name = registry.name("app:1");
    for (case, auth) in
        [("none", RegistryAuth::Anonymous), ("wrong", RegistryAuth::Basic("ana".into(), "guess".into()))]
    {
        let result = fixture.store.pull(&name, PullPolicy::Always, &auth, Arc::new(|_| {})).await;
        if let Err(error) = &result {
            assert!(!chain(error).contains("guess"), "{case}: a password is shown");
        }
        check_failed(case, result, "ErrImagePull", "denies access");
    }
    fixture.store.pull(&name, PullPolicy::Always, &right, Arc::new(|_| {})).await.unwrap();
    let result = fixture.store.pull(&name, PullPolicy::Always, &RegistryAuth::Anonymous, Arc::new(|_| {})).await;
    check_failed("credentials of one pull do not serve the next", result, "ErrImagePull", "denies access");
}

#[tokio::test]
async fn concurrent_pulls_share_downloads_and_unpacking() {
    let Some(registry) = Registry::start("concurrent_pulls_share_downloads_and_unpacking", None) else {
        return;
    };
    let fixture = TestStore::new();
    let base = Tar::new().file("base", &"b".repeat(300_000)).bytes();
    let mut names = Vec::new();
    for at in 0..8 {
        let image = TestImage::new(vec![(base.clone(), gzip), (Tar::new().file(&format!("f{at}"), "x").bytes(), gzip)]);
        registry.push(&image, &format!("app:{at}"), &RegistryAuth::Anonymous).await;
        names.push(registry.name(&format!("app:{at}")));
    }
    let base_digest = Digest::of(&gzip(&base));
    let (downloads, unpacked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let pulls = names.iter().chain(&names).map(|name| {
        let (base_digest, downloads, unpacked) = (base_digest.clone(), Arc::clone(&downloads), Arc::clone(&unpacked));
        let count: super::Progress = Arc::new(move |event| match event {
            PullProgress::Downloading { digest, done, total } if digest == base_digest && done == total => {
                downloads.fetch_add(1, Ordering::Relaxed);
            }
            PullProgress::Unpacking { digest } if digest == base_digest => {
                unpacked.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        });
        fixture.store.pull(name, PullPolicy::IfNotPresent, &RegistryAuth::Anonymous, count)
    });
    let images = futures_util::future::try_join_all(pulls).await.unwrap_or_else(|e| panic!("{}", chain(&e)));
    assert_eq!(unpacked.load(Ordering::Relaxed), 1, "the shared layer is unpacked once");
    assert_eq!(downloads.load(Ordering::Relaxed), 1, "the shared layer is fetched once");
    assert!(images.iter().all(|image| image.rootfs.lowers.last() == images[0].rootfs.lowers.last()));
    fixture.assert_no_leftovers();
}

/// Returns an image whose single layer is about a mebibyte that does not compress.
fn heavy() -> TestImage {
    let mut state = 1u64;
    let noise: String = (0..1 << 20)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + (state >> 58) as u8)
        })
        .collect();
    TestImage::new(vec![(Tar::new().file("noise", &noise).bytes(), |plain| plain.to_vec())])
}

#[tokio::test]
async fn a_download_that_is_cut_or_stalls_is_resumed_where_it_ended() {
    let Some(registry) = Registry::start("a_download_that_is_cut_or_stalls_is_resumed_where_it_ended", None) else {
        return;
    };
    let image = heavy();
    registry.push(&image, "app:1", &RegistryAuth::Anonymous).await;
    let size = image.layers[0].len() as u64;
    for (case, how) in [("cut", Break::Cut { after: 300_000 }), ("stalled", Break::Stall { after: 300_000 })] {
        let fixture = TestStore::with(StoreOptions { stall: Duration::from_millis(500), ..impatient() });
        let line = BrokenLine::to(registry.address, how, 2);
        let name = format!("{}/app:1", line.address);
        let pulled =
            pull(&fixture, &name, PullPolicy::Always).await.unwrap_or_else(|e| panic!("{case}: {}", chain(&e)));
        assert_eq!(pulled.digest, image.digest(), "{case}");
        let carried = line.carried.load(Ordering::Relaxed);
        assert!(carried < size * 2, "{case}: {carried} bytes for a layer of {size}: it was not resumed");
        fixture.assert_no_leftovers();
    }
}

#[tokio::test]
async fn a_pull_that_is_dropped_leaves_nothing_and_can_be_made_again() {
    let Some(registry) = Registry::start("a_pull_that_is_dropped_leaves_nothing_and_can_be_made_again", None) else {
        return;
    };
    registry.push(&heavy(), "app:1", &RegistryAuth::Anonymous).await;
    let fixture = TestStore::new();
    let line = BrokenLine::to(registry.address, Break::Stall { after: 300_000 }, 1);
    let name = format!("{}/app:1", line.address);
    let (arrived, mut arriving) = tokio::sync::mpsc::unbounded_channel();
    let note: super::Progress = Arc::new(move |event| {
        if let PullProgress::Downloading { done, .. } = event {
            let _ = arrived.send(done);
        }
    });
    {
        let first = fixture.store.pull(&name, PullPolicy::Always, &RegistryAuth::Anonymous, note);
        tokio::select! {
            result = first => panic!("the line stands still, but the pull ended: {result:?}"),
            Some(_) = arriving.recv() => {}
        }
    }
    fixture.assert_no_leftovers();
    let again = pull(&fixture, &registry.name("app:1"), PullPolicy::Always).await.unwrap();
    assert_eq!(again.digest, heavy().digest());
}

#[tokio::test]
async fn a_registry_that_never_answers_ends_the_pull() {
    if !is_root("a_registry_that_never_answers_ends_the_pull") {
        return;
    }
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let options = StoreOptions {
        stall: Duration::from_millis(100),
        answer: Duration::from_millis(100),
        ..StoreOptions::default()
    };
    let fixture = TestStore::with(options);
    let name = format!("{}/app:1", silent.local_addr().unwrap());
    check_failed(
        "silent",
        pull(&fixture, &name, PullPolicy::Always).await,
        "RegistryUnavailable",
        "registry `127.0.0.1:",
    );
}

#[tokio::test]
async fn images_made_by_another_tool_are_understood() {
    let test = "images_made_by_another_tool_are_understood";
    let Some(registry) = Registry::start(test, None) else {
        return;
    };
    if !Path::new("/usr/bin/skopeo").exists() {
        println!("{test}: left out, `skopeo` is not installed");
        return;
    }
    let fixture = TestStore::new();
    TestImage::sample().write_layout(&fixture.path("layout"), "example.com/app:1");
    let layout = format!("oci:{}:example.com/app:1", fixture.path("layout").display());
    let copy = |from: &str, to: &str| {
        let output = Command::new("/usr/bin/skopeo")
            .args(["copy", "--insecure-policy", "--dest-tls-verify=false", from, to])
            .output()
            .unwrap();
        assert!(output.status.success(), "{to}: {}", String::from_utf8_lossy(&output.stderr));
    };
    copy(&layout, &format!("docker://{}", registry.name("app:1")));
    let pulled = pull(&fixture, &registry.name("app:1"), PullPolicy::Always).await.unwrap();
    super::tests::check_sample("pushed by skopeo", &pulled);
    for (form, file) in [("docker-archive", "docker.tar"), ("oci-archive", "oci.tar")] {
        let path = fixture.path(file);
        copy(&layout, &format!("{form}:{}:example.com/app:1", path.display()));
        let fresh = TestStore::new();
        let images = fresh.store.load(&path).await.unwrap_or_else(|e| panic!("{form}: {}", chain(&e)));
        assert_eq!(images[0].reference, "example.com/app:1", "{form}");
        super::tests::check_sample(form, &images[0]);
    }
}
