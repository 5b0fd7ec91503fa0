//! Unpacks honest and hostile archives on the real file system.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::super::testing::{Tar, gzip, is_root, zstd};
use super::{Limits, OPAQUE_XATTR, UnpackError, Unpacked, unpack};
use crate::api::chain;

fn small() -> Limits {
    Limits { bytes_max: 1 << 20, entries_max: 100, ratio_max: 50, ratio_free_bytes: 128 << 10 }
}

/// The only caller of `unpack` in this file.
fn run(archive: Vec<u8>, into: &Path, below: &[PathBuf]) -> Result<Unpacked, UnpackError> {
    unpack(Cursor::new(archive), into, below, &small()).map(|(unpacked, _)| unpacked)
}

/// Unpacks below a guarded directory and asserts that the archive is refused with `expected` and touched nothing
/// outside of its own directory.
#[track_caller]
fn check_refused(case: &str, archive: Vec<u8>, expected: &str) {
    let outside = tempfile::tempdir().unwrap();
    let into = outside.path().join("layer");
    fs::create_dir(&into).unwrap();
    fs::write(outside.path().join("precious"), "untouched").unwrap();
    let found = match run(archive, &into, &[]) {
        Ok(unpacked) => format!("{unpacked:?}"),
        Err(error) => chain(&error),
    };
    assert!(found.contains(expected), "{case}: {found}");
    let mut names: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["layer", "precious"], "{case}");
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "untouched", "{case}");
}

#[test]
fn names_that_leave_the_layer_are_refused() {
    check_refused("absolute", Tar::new().file("/etc/passwd", "x").bytes(), "has a name that is absolute");
    check_refused("dotdot", Tar::new().file("../precious", "x").bytes(), "contains `..`");
    check_refused("inner dotdot", Tar::new().file("a/../../precious", "x").bytes(), "contains `..`");
    let long = Tar::new().pax(&[("path", b"/tmp/x")]).file("harmless", "x").bytes();
    check_refused("pax path", long, "has a name that is absolute");
    let long = Tar::new().raw(b'L', "l", "", 0, b"../precious\0").file("harmless", "x").bytes();
    check_refused("gnu long name", long, "contains `..`");
    check_refused("whiteout above", Tar::new().file("../.wh.precious", "").bytes(), "contains `..`");
    check_refused("whiteout of dotdot", Tar::new().file("a/.wh...", "").bytes(), "is a whiteout of nothing");
    check_refused("root replaced", Tar::new().link("./", "/").bytes(), "replaces the root");
}

#[test]
fn writing_through_a_link_out_of_the_layer_is_refused() {
    if !is_root("writing_through_a_link_out_of_the_layer_is_refused") {
        return;
    }
    for target in ["/", "..", "/tmp", "../.."] {
        let archive = Tar::new().link("out", target).file("out/precious", "owned").bytes();
        check_refused(target, archive, "lies behind a link that leaves the layer");
    }
    let archive = Tar::new().link("a", "b").link("b", "a").file("a/x", "y").bytes();
    check_refused("loop", archive, "lies behind a loop of links");
    let archive = Tar::new().link("out", "..").hard_link("mine", "out/precious").bytes();
    check_refused("hard link through a link", archive, "lies behind a link that leaves the layer");
    check_refused("hard link out", Tar::new().hard_link("mine", "../precious").bytes(), "contains `..`");
    check_refused("hard link absolute", Tar::new().hard_link("mine", "/etc/shadow").bytes(), "is absolute");
    check_refused(
        "hard link to nothing",
        Tar::new().hard_link("mine", "absent").bytes(),
        "is a hard link to a file that the layer does not hold",
    );
    let archive = Tar::new().link("out", "..").file("out/.wh.precious", "").bytes();
    check_refused("whiteout through a link", archive, "lies behind a link that leaves the layer");
}

#[test]
fn archives_that_are_too_much_are_refused() {
    if !is_root("archives_that_are_too_much_are_refused") {
        return;
    }
    check_refused(
        "announced size",
        Tar::new().truncated("huge", b'0', u64::MAX / 4),
        "the layer is refused: it holds more than 1048576 bytes when uncompressed",
    );
    check_refused("negative size", Tar::new().truncated("huge", b'0', u64::MAX), "");
    let two_mib = "x".repeat(2 << 20);
    check_refused("real size", Tar::new().file("big", &two_mib).bytes(), "more than 1048576 bytes");
    let zeros = "\0".repeat(900 << 10);
    check_refused(
        "gzip bomb",
        gzip(&Tar::new().file("bomb", &zeros).bytes()),
        "more than 50 bytes for each compressed byte",
    );
    check_refused(
        "zstd bomb",
        zstd(&Tar::new().file("bomb", &zeros).bytes()),
        "more than 50 bytes for each compressed byte",
    );
    let many = (0..101).fold(Tar::new(), |tar, at| tar.file(&format!("f{at}"), ""));
    check_refused("entries", many.bytes(), "more than 100 entries");
    let mut tail = Tar::new().file("a", "b").bytes();
    tail.extend(vec![0; 2 << 20]);
    check_refused("after the end", tail, "more than 1048576 bytes");
    check_refused(
        "extended header",
        Tar::new().truncated("pax", b'x', 2 << 20),
        "an extended header of more than 1048576 bytes",
    );
}

#[test]
fn archives_that_make_no_sense_are_refused() {
    if !is_root("archives_that_make_no_sense_are_refused") {
        return;
    }
    check_refused("not a tar", b"hello, this is no archive at all".repeat(100), "cannot read the layer's archive");
    check_refused("cut", Tar::new().truncated("half", b'0', 1000), "cannot read the layer's archive");
    let mut cut = gzip(&Tar::new().file("a", &"b".repeat(5000)).bytes());
    cut.truncate(cut.len() / 2);
    check_refused("cut gzip", cut, "cannot read the layer's archive");
    check_refused("sparse", Tar::new().raw(b'S', "s", "", 0o644, b"").bytes(), "is of type `S`");
    check_refused(
        "through a file",
        Tar::new().file("a", "x").file("a/b", "y").bytes(),
        "is used as a directory and is none",
    );
    let archive = Tar::new().pax(&[("uid", b"4294967295")]).file("a", "").bytes();
    check_refused("unchanged owner", archive, "has a uid that is not a number below 4294967295");
    let archive = Tar::new().pax(&[("size", b"99")]).file("a", "").bytes();
    check_refused("two sizes", archive, "differs from its header");
}

#[test]
fn files_keep_owner_mode_time_attributes_and_links() {
    if !is_root("files_keep_owner_mode_time_attributes_and_links") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A capability that holds a newline byte, as binary values do.
    let capability: &[u8] = &[1, 0, 0, 2, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let archive = Tar::new()
        .dir("./", 0o711)
        .dir("tmp", 0o1777)
        .pax(&[
            ("uid", b"1000"),
            ("gid", b"2000"),
            ("mtime", b"12.5"),
            ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/"),
        ])
        .raw(b'0', "tool", "", 0o4755, b"data")
        .hard_link("same", "tool")
        .link("usr", "/abs/olute")
        .raw(b'6', "fifo", "", 0o600, b"")
        .raw(b'3', "null", "", 0o666, b"")
        .raw(b'4', "sda", "", 0o666, b"")
        .file(".wh..wh.plnk", "aufs")
        .bytes();
    let unpacked = run(archive, dir.path(), &[]).unwrap();
    assert_eq!(unpacked.devices_skipped, 2);
    let tool = fs::metadata(dir.path().join("tool")).unwrap();
    assert_eq!((tool.uid(), tool.gid(), tool.mode() & 0o7777), (1000, 2000, 0o4755));
    assert_eq!((tool.mtime(), tool.mtime_nsec(), tool.nlink()), (12, 500_000_000, 2));
    assert_eq!(fs::metadata(dir.path().join("same")).unwrap().ino(), tool.ino());
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(dir.path().join("tool"), "security.capability", &mut value).unwrap();
    assert_eq!(&value[..length], capability);
    assert!(rustix::fs::getxattr(dir.path().join("tool"), "trusted.overlay.redirect", &mut value).is_err());
    assert_eq!(fs::read_link(dir.path().join("usr")).unwrap(), Path::new("/abs/olute"));
    let tmp = fs::metadata(dir.path().join("tmp")).unwrap();
    assert_eq!((tmp.permissions().mode() & 0o7777, tmp.mtime()), (0o1777, 1_000_000_000));
    assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o7777, 0o711);
    for absent in ["null", "sda", ".wh..wh.plnk"] {
        assert!(!dir.path().join(absent).exists(), "{absent}");
    }
}

#[test]
fn whiteouts_become_those_of_overlayfs() {
    if !is_root("whiteouts_become_those_of_overlayfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let archive = Tar::new()
        .file("gone/.wh.x", "")
        .file("emptied/.wh..wh..opq", "")
        .file("emptied/kept", "k")
        .file("own", "o")
        .file(".wh.own", "")
        .dir("again", 0o755)
        .file(".wh.again", "")
        .file(".wh.anew", "")
        .file("anew/inside", "i")
        .bytes();
    run(archive, dir.path(), &[]).unwrap();
    let gone = fs::symlink_metadata(dir.path().join("gone/x")).unwrap();
    assert_eq!((gone.mode() & 0o170_000, gone.rdev()), (0o020_000, 0));
    let is_opaque = |name: &str| {
        let mut value = [0; 4];
        rustix::fs::getxattr(dir.path().join(name), OPAQUE_XATTR, &mut value).is_ok_and(|n| &value[..n] == b"y")
    };
    assert!(is_opaque("emptied") && is_opaque("again") && is_opaque("anew") && !is_opaque("gone"));
    assert_eq!(fs::read_to_string(dir.path().join("own")).unwrap(), "o");
    assert_eq!(fs::read_to_string(dir.path().join("anew/inside")).unwrap(), "i");
}

#[test]
fn later_entries_replace_earlier_ones_without_following_them() {
    if !is_root("later_entries_replace_earlier_ones_without_following_them") {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    let into = outside.path().join("layer");
    fs::create_dir(&into).unwrap();
    fs::write(outside.path().join("precious"), "untouched").unwrap();
    let archive = Tar::new()
        .link("x", "../precious")
        .file("x", "mine")
        .dir("d", 0o755)
        .file("d/deep/er", "e")
        .link("d", "..")
        .dir("d", 0o700)
        .file("d/now", "n")
        .link("lib", "usr/lib")
        .dir("usr/lib", 0o755)
        .file("lib/through", "t")
        .bytes();
    run(archive, &into, &[]).unwrap();
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "untouched");
    assert_eq!(fs::read_to_string(into.join("x")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(into.join("d/now")).unwrap(), "n");
    assert!(!into.join("d/deep").exists());
    assert_eq!(fs::read_to_string(into.join("usr/lib/through")).unwrap(), "t");
}

#[test]
fn a_directory_that_is_not_listed_looks_as_in_the_layer_below() {
    if !is_root("a_directory_that_is_not_listed_looks_as_in_the_layer_below") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (lower, upper) = (dir.path().join("lower"), dir.path().join("upper"));
    fs::create_dir(&lower).unwrap();
    fs::create_dir(&upper).unwrap();
    let base = Tar::new().dir("./", 0o711).dir("tmp", 0o1777).pax(&[("uid", b"7")]).dir("home", 0o750).bytes();
    run(base, &lower, &[]).unwrap();
    run(Tar::new().file("tmp/a", "").file("home/b/c", "").bytes(), &upper, &[lower]).unwrap();
    let mode = |name: &str| fs::metadata(upper.join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("."), mode("tmp"), mode("home"), mode("home/b")), (0o711, 0o1777, 0o750, 0o755));
    assert_eq!(fs::metadata(upper.join("home")).unwrap().uid(), 7);
}
