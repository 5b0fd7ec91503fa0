//! The store as its callers see it: built-in image, loading, listing, collection, crashes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::testing::{Tar, TestImage, TestStore, gzip, is_root, zstd};
use super::{
    Digest, HOST_ROOTFS, Image, ImageReference, ImageStore, PullPolicy, RegistryAuth, StoreError, resolve_user,
};
use crate::api::chain;

async fn pull_local(store: &ImageStore, name: &str) -> Result<Image, super::PullError> {
    store.pull(name, PullPolicy::Never, &RegistryAuth::Anonymous, std::sync::Arc::new(|_| {})).await
}

/// Mounts the image's stack read-only with overlayfs and returns what `inspect` sees in it. The mount lives in a
/// mount namespace of a thread of its own and goes with it.
fn mounted<T: Send + 'static>(image: &Image, inspect: impl FnOnce(&Path) -> T + Send + 'static) -> T {
    let image = image.clone();
    let work = move || {
        use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
        // Alone in its namespace the thread cannot disturb others.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS | nix::sched::CloneFlags::CLONE_FS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        let point = tempfile::tempdir().unwrap();
        let mut lowers: Vec<_> = image.rootfs.lowers.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        let empty = tempfile::tempdir().unwrap();
        lowers.push(empty.path().to_str().unwrap().to_owned());
        let options = format!("lowerdir={}", lowers.join(":"));
        mount(
            "overlay",
            point.path(),
            "overlay",
            MountFlags::RDONLY,
            std::ffi::CString::new(options).unwrap().as_c_str(),
        )
        .unwrap();
        for bind in &image.rootfs.binds {
            mount_bind(&bind.source, point.path().join(bind.target.strip_prefix("/").unwrap())).unwrap();
        }
        let seen = inspect(point.path());
        for bind in image.rootfs.binds.iter().rev() {
            let target = point.path().join(bind.target.strip_prefix("/").unwrap());
            rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH).unwrap();
        }
        rustix::mount::unmount(point.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
        seen
    };
    std::thread::spawn(work).join().expect("the inspection does not panic")
}

/// Asserts what [`TestImage::sample`] looks like once it is in a store.
#[track_caller]
pub(super) fn check_sample(case: &str, image: &Image) {
    assert_eq!(image.config.entrypoint, ["/bin/app"], "{case}");
    assert_eq!((image.config.working_dir.as_str(), image.config.stop_signal.as_str()), ("/srv", "SIGINT"), "{case}");
    assert_eq!(image.config.exposed_ports, ["80/tcp"], "{case}");
    let user = resolve_user(&image.rootfs.lowers, &image.config.user).unwrap();
    assert_eq!((user.uid, user.gid, user.groups.as_slice()), (33, 34, &[4][..]), "{case}");
    let seen = mounted(image, |root| {
        let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o7777;
        let motd = root.join("etc/motd").exists();
        (fs::read_to_string(root.join("etc/added")).unwrap(), motd, mode("bin/app"), mode("etc"))
    });
    assert_eq!(seen, ("new".to_owned(), false, 0o4755, 0o750), "{case}");
}

#[tokio::test]
async fn every_form_of_file_loads_to_the_same_files() {
    if !is_root("every_form_of_file_loads_to_the_same_files") {
        return;
    }
    let sample = TestImage::sample();
    let fixture = TestStore::new();
    let layout = fixture.path("layout");
    sample.write_layout(&layout, "example.com/team/app:v1");
    let mut tarred = tar::Builder::new(Vec::new());
    tarred.append_dir_all(".", &layout).unwrap();
    let tarred = tarred.into_inner().unwrap();
    let docker = sample.docker_archive(&["example.com/team/app:v1", "app:v2"]);
    for (name, bytes) in [
        ("oci.tar", tarred.clone()),
        ("oci.tar.gz", gzip(&tarred)),
        ("oci.tar.zst", zstd(&tarred)),
        ("docker.tar", docker.clone()),
        ("docker.tgz", gzip(&docker)),
    ] {
        fs::write(fixture.path(name), bytes).unwrap();
    }
    for name in ["layout", "oci.tar", "oci.tar.gz", "oci.tar.zst", "docker.tar", "docker.tgz"] {
        let fresh = TestStore::new();
        let images = fresh.store.load(fixture.path(name)).await.unwrap_or_else(|e| panic!("{name}: {}", chain(&e)));
        assert_eq!(images[0].reference, "example.com/team/app:v1", "{name}");
        assert_eq!(images.len(), if name.starts_with("docker") { 2 } else { 1 }, "{name}");
        check_sample(name, &images[0]);
        assert_eq!(pull_local(&fresh.store, "example.com/team/app:v1").await.unwrap(), images[0], "{name}");
        fresh.assert_no_leftovers();
    }
}

#[tokio::test]
async fn names_of_loaded_images_come_from_the_file() {
    if !is_root("names_of_loaded_images_come_from_the_file") {
        return;
    }
    let fixture = TestStore::new();
    for (directory, name, expected) in [
        ("a", "quay.io/x/y:3", "quay.io/x/y:3"),
        ("b", "app:3", "docker.io/library/app:3"),
        ("My_App.v2", "3", "localhost/my-app:3"),
    ] {
        TestImage::sample().write_layout(&fixture.path(directory), name);
        let images = fixture.store.load(fixture.path(directory)).await.unwrap();
        assert_eq!(images[0].reference, expected);
    }
    let listed: Vec<_> = fixture.store.list().unwrap().into_iter().map(|image| image.reference).collect();
    assert_eq!(listed, ["docker.io/library/app:3", "localhost/my-app:3", "quay.io/x/y:3"]);
}

#[tokio::test]
async fn damaged_and_foreign_files_are_refused_and_leave_nothing() {
    let fixture = TestStore::new();
    let sample = TestImage::sample();
    let write = |name: &str, change: &dyn Fn(&Path)| {
        sample.write_layout(&fixture.path(name), "app:1");
        change(&fixture.path(name));
    };
    let blob = |dir: &Path, bytes: &[u8]| dir.join("blobs/sha256").join(Digest::of(bytes).hex());
    write("no-layer", &|dir| fs::remove_file(blob(dir, &sample.layers[0])).unwrap());
    write("bad-config", &|dir| fs::write(blob(dir, &sample.config), "{}").unwrap());
    write("bad-layer", &|dir| {
        fs::write(blob(dir, &sample.layers[0]), gzip(&Tar::new().file("a", "b").bytes())).unwrap()
    });
    write("linked-blob", &|dir| {
        fs::remove_file(blob(dir, &sample.layers[0])).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", blob(dir, &sample.layers[0])).unwrap();
    });
    write("bad-index", &|dir| fs::write(dir.join("index.json"), "[]").unwrap());
    fs::create_dir(fixture.path("empty")).unwrap();
    fs::write(fixture.path("text.tar"), "this is no archive").unwrap();
    TestImage::for_platform("s390x", vec![]).write_layout(&fixture.path("s390x"), "app:1");
    for (name, expected) in [
        ("no-layer", "is missing"),
        ("bad-config", "is damaged: content of `sha256:"),
        ("bad-layer", "but the image promises"),
        ("linked-blob", "cannot read image file"),
        ("bad-index", "`index.json` of"),
        ("empty", "holds no image"),
        ("text.tar", "holds no image"),
        ("absent", "cannot read image file"),
        ("s390x", "has no variant for linux/"),
    ] {
        if name == "bad-layer" && !is_root("damaged_and_foreign_files_are_refused_and_leave_nothing: bad-layer") {
            continue;
        }
        let error = chain(&fixture.store.load(fixture.path(name)).await.expect_err(name));
        assert!(error.contains(expected), "{name}: {error}");
        fixture.assert_no_leftovers();
    }
    assert_eq!(fixture.store.list().unwrap(), []);
}

#[tokio::test]
async fn policy_and_names_are_checked_before_anything_is_asked() {
    let fixture = TestStore::new();
    for (name, reason, message) in [
        ("App:1", "InvalidImageName", "couldn't parse image name `App:1`"),
        ("app:1", "ErrImageNeverPull", "Container image \"app:1\" is not present with pull policy of Never"),
    ] {
        let error = pull_local(&fixture.store, name).await.unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(chain(&error).contains(message), "{}", chain(&error));
    }
}

#[tokio::test]
async fn the_host_image_holds_no_secret_and_runs_the_hosts_programs() {
    if !is_root("the_host_image_holds_no_secret_and_runs_the_hosts_programs") {
        return;
    }
    let fixture = TestStore::new();
    let image = pull_local(&fixture.store, &format!("{HOST_ROOTFS}:any")).await.unwrap();
    assert_eq!(pull_local(&fixture.store, &format!("{HOST_ROOTFS}:any")).await.unwrap(), image);
    let base = &image.rootfs.lowers[0];
    for absent in
        ["etc/shadow", "etc/gshadow", "etc/ssh", "etc/ssl/private", "etc/hostname", "etc/fstab", "etc/machine-id"]
    {
        assert!(fs::symlink_metadata(base.join(absent)).is_err(), "{absent}");
    }
    let passwd = fs::read_to_string(base.join("etc/passwd")).unwrap();
    assert!(passwd.starts_with("root:x:0:0:"), "{passwd}");
    for (name, mode) in [("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700), ("proc", 0o555), ("etc", 0o755)] {
        assert_eq!(fs::metadata(base.join(name)).unwrap().mode() & 0o7777, mode, "{name}");
    }
    assert_eq!(resolve_user(&image.rootfs.lowers, "root").unwrap().home, "/root");
    let output = mounted(&image, |root| {
        // The program finds its interpreter and libraries only if links, binds and the loader's cache are right.
        let output = std::process::Command::new("/usr/sbin/chroot")
            .arg(root)
            .args(["/bin/sh", "-c", "id -un; cat /etc/hosts"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    });
    assert!(output.starts_with("root\n127.0.0.1\tlocalhost"), "{output}");
    let report = fixture.store.gc(&BTreeSet::new()).unwrap();
    assert_eq!(report.layers, 0, "the current version stays");
    fixture.assert_no_leftovers();
}

#[tokio::test]
async fn collection_keeps_what_names_and_containers_use() {
    if !is_root("collection_keeps_what_names_and_containers_use") {
        return;
    }
    let fixture = TestStore::new();
    let base = Tar::new().file("base", "b").bytes();
    let other = |name: &str| TestImage::new(vec![(base.clone(), gzip), (Tar::new().file(name, "x").bytes(), gzip)]);
    for name in ["one", "two"] {
        other(name).write_layout(&fixture.path(name), &format!("app:{name}"));
        fixture.store.load(fixture.path(name)).await.unwrap();
    }
    let (one, two) = (ImageReference::parse("app:one").unwrap(), ImageReference::parse("app:two").unwrap());
    let running = fixture.store.find(&one).unwrap().unwrap();
    assert_eq!(fixture.store.gc(&BTreeSet::new()).unwrap(), super::GcReport::default(), "all is named");
    assert!(fixture.store.remove(&one).unwrap());
    assert!(!fixture.store.remove(&one).unwrap());
    assert_eq!(fixture.store.gc(&BTreeSet::from([running.digest.clone()])).unwrap().layers, 0, "one still runs");
    assert!(running.rootfs.lowers.iter().all(|lower| lower.is_dir()));
    let report = fixture.store.gc(&BTreeSet::new()).unwrap();
    assert_eq!((report.layers, report.blobs), (1, 2), "the base is shared with the other");
    assert!(fixture.store.find(&two).unwrap().is_some());
    assert!(fixture.store.find(&one).unwrap().is_none());
    // A manifest in use that cannot be read may need any layer: then everything stays.
    fixture.store.remove(&two).unwrap();
    let report = fixture.store.gc(&BTreeSet::from([Digest::of(b"lost")])).unwrap();
    assert_eq!(report, super::GcReport::default());
    assert_eq!(fixture.store.gc(&BTreeSet::new()).unwrap().layers, 2);
    fixture.assert_no_leftovers();
}

#[tokio::test]
async fn a_store_that_was_killed_opens_without_leftovers_and_damaged_images_count_as_absent() {
    if !is_root("a_store_that_was_killed_opens_without_leftovers_and_damaged_images_count_as_absent") {
        return;
    }
    let TestStore { store, dir } = TestStore::new();
    TestImage::sample().write_layout(&dir.path().join("layout"), "app:1");
    let image = store.load(dir.path().join("layout")).await.unwrap().remove(0);
    let root = dir.path().join("images");
    assert!(matches!(ImageStore::open(&root), Err(StoreError::InUse { .. })), "one process at a time");
    drop(store);
    fs::create_dir_all(root.join("tmp/layer-1-1/fs/deep")).unwrap();
    fs::write(root.join("tmp/download-1-2"), "half").unwrap();
    let store = ImageStore::open(&root).unwrap();
    assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0);
    let reference = ImageReference::parse("app:1").unwrap();
    assert_eq!(store.find(&reference).unwrap(), Some(image.clone()));
    let manifest = root.join("blobs/sha256").join(image.digest.hex());
    fs::write(&manifest, "flipped").unwrap();
    assert_eq!(store.find(&reference).unwrap(), None);
    assert!(!manifest.exists(), "the damaged blob is gone");
    store.load(dir.path().join("layout")).await.unwrap();
    fs::remove_dir_all(image.rootfs.lowers[0].parent().unwrap()).unwrap();
    assert_eq!(store.find(&reference).unwrap(), None, "a layer is missing");
    store.load(dir.path().join("layout")).await.unwrap();
    check_sample("loaded again", &store.find(&reference).unwrap().unwrap());
}

#[test]
fn a_full_disk_is_told_apart_and_nothing_half_done_stays() {
    if !is_root("a_full_disk_is_told_apart_and_nothing_half_done_stays") {
        return;
    }
    // The small file system is seen by this thread, and those that it starts, alone.
    let work = || {
        use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS | nix::sched::CloneFlags::CLONE_FS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        let small = tempfile::tempdir().unwrap();
        mount("tmpfs", small.path(), "tmpfs", MountFlags::empty(), c"size=1m").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = ImageStore::open(small.path().join("images")).unwrap();
        let files = TestStore::new();
        let heavy = TestImage::new(vec![(Tar::new().file("big", &"x".repeat(2 << 20)).bytes(), gzip)]);
        heavy.write_layout(&files.path("heavy"), "app:heavy");
        TestImage::sample().write_layout(&files.path("light"), "app:light");
        let error = runtime.block_on(store.load(files.path("heavy"))).unwrap_err();
        let text = chain(&error);
        assert!(matches!(error, super::LoadError::Store { ref source, .. } if source.is_disk_full()), "{text}");
        assert_eq!(fs::read_dir(small.path().join("images/tmp")).unwrap().count(), 0);
        let light = runtime.block_on(store.load(files.path("light"))).expect("space is free again").remove(0);
        assert_eq!(store.list().unwrap().len(), 1);
        assert_eq!(resolve_user(&light.rootfs.lowers, "www").unwrap().uid, 33);
        drop(store);
        unmount(small.path(), UnmountFlags::DETACH).unwrap();
    };
    std::thread::spawn(work).join().expect("the store survives a full disk");
}
