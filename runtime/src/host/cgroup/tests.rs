//! Layouts from mount tables, values from limits, and groups on trees of plain files.

use super::*;

fn names(layout: &Layout) -> String {
    let one = |h: &Hierarchy| format!("v{} {} {}", h.version, h.mount.display(), h.controllers.join(","));
    layout.hierarchies.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check_layout(case: &str, mountinfo: &str, expected: &str) {
    assert_eq!(names(&Layout::parse(mountinfo)), expected, "{case}");
}

#[test]
fn a_layout_is_read_from_the_mount_table() {
    let unified = "30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    check_layout("v2 alone", unified, "v2 /sys/fs/cgroup ");
    let v1 = "32 31 0:29 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
              35 31 0:32 / /cg/memory rw shared:3 - cgroup cgroup rw,memory\n\
              36 31 0:33 / /cg/devices rw - cgroup cgroup rw,devices\n\
              37 31 0:34 / /cg/freezer rw - cgroup cgroup rw,freezer\n\
              40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
    check_layout(
        "v1 alone needs the freezer to kill",
        v1,
        "v1 /cg/cpu,cpuacct cpu,cpuacct; v1 /cg/memory memory; v1 /cg/freezer freezer; v1 /cg/systemd name=systemd",
    );
    check_layout(
        "hybrid kills through v2",
        &format!("{v1}41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n"),
        "v2 /cg/unified ; v1 /cg/cpu,cpuacct cpu,cpuacct; v1 /cg/memory memory; v1 /cg/systemd name=systemd",
    );
    check_layout("a mount point with a space", "1 1 0:1 / /c\\040g rw - cgroup2 none rw\n", "v2 /c g ");
    check_layout("a hierarchy mounted twice counts once", &format!("{unified}{unified}"), "v2 /sys/fs/cgroup ");
    check_layout("nonsense is not a hierarchy", "what\n - cgroup\n1 2 - cgroup2 x\n", "");
}

#[test]
fn cpu_values_follow_the_kubelet() {
    for (milli, shares, weight, quota) in [
        (0, 2, 1, 1_000),
        (1, 2, 1, 1_000),
        (10, 10, 4, 1_000),
        (100, 102, 17, 10_000),
        (1000, 1024, 100, 100_000),
        (2500, 2560, 208, 250_000),
        (u64::MAX, 262_144, 10_000, u64::MAX / 1000),
    ] {
        assert_eq!(cpu_shares(milli), shares, "shares of {milli}m");
        assert_eq!(cpu_weight(cpu_shares(milli)), weight, "weight of {milli}m");
        assert_eq!(cpu_quota_micros(milli), quota, "quota of {milli}m");
    }
}

fn tree(version: u32, controllers: &[&str]) -> (tempfile::TempDir, Group) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let controllers = controllers.iter().map(|name| (*name).to_owned()).collect();
    let hierarchy = Hierarchy { mount: root.path().to_owned(), version, controllers };
    let group = Group::new(Layout { hierarchies: vec![hierarchy] }, "bowline/a/pod1");
    (root, group)
}

#[test]
fn limits_are_written_under_the_names_of_the_version() {
    let limits = Limits {
        memory_bytes: Some(64 << 20),
        cpu_request_milli: Some(500),
        cpu_limit_milli: Some(1500),
        pids: Some(20),
    };
    for (version, expected) in [
        (
            1,
            "cpu.cfs_period_us=100000 cpu.cfs_quota_us=150000 cpu.shares=512 memory.limit_in_bytes=67108864 \
             memory.memsw.limit_in_bytes=67108864 pids.max=20",
        ),
        (2, "cpu.max=150000 100000 cpu.weight=59 memory.max=67108864 memory.swap.max=0 pids.max=20"),
    ] {
        let (root, group) = tree(version, &["memory", "cpu", "pids"]);
        let dir = root.path().join("bowline/a/pod1");
        fs::create_dir_all(&dir).expect("a directory");
        group.set_limits(&limits).expect("plain files take any value");
        let mut written: Vec<String> = fs::read_dir(&dir)
            .expect("the directory")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                format!("{name}={}", fs::read_to_string(&path).expect("its content"))
            })
            .collect();
        written.sort();
        assert_eq!(written.join(" "), expected, "v{version}");
    }
}

#[test]
fn controllers_are_delegated_on_the_way_down() {
    let (root, group) = tree(2, &["memory", "pids"]);
    group.create().expect("plain directories");
    for dir in ["", "bowline", "bowline/a"] {
        let control = fs::read_to_string(root.path().join(dir).join("cgroup.subtree_control"));
        assert_eq!(control.expect("the file"), "+memory +pids", "in `{dir}`");
    }
    assert!(!root.path().join("bowline/a/pod1/cgroup.subtree_control").exists(), "not in the group itself");
}

#[test]
fn a_group_is_made_while_another_instance_removes_what_is_above() {
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
    let (root, group) = tree(1, &["pids"]);
    let above = root.path().join("bowline");
    let (stop, instances) = (AtomicBool::new(false), AtomicI32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Fails while something is in there.
                if instances.load(Ordering::Relaxed) > 0 && fs::remove_dir(&above).is_ok() {
                    instances.fetch_sub(1, Ordering::Relaxed);
                }
            }
        });
        let made = (0..500).try_for_each(|_| {
            // So many others end meanwhile.
            instances.store(20, Ordering::Relaxed);
            let made = group.create();
            instances.store(0, Ordering::Relaxed);
            let _gone = fs::remove_dir_all(&above);
            made
        });
        stop.store(true, Ordering::Relaxed);
        made.expect("a group");
    });
}

#[test]
fn a_refused_limit_names_file_and_value() {
    let (root, group) = tree(2, &["memory", "cpu", "pids"]);
    let limits = Limits { memory_bytes: Some(1), ..Limits::default() };
    let error = group.set_limits(&limits).expect_err("there is no such group").to_string();
    let file = root.path().join("bowline/a/pod1/memory.max");
    let expected = format!("cannot write `1` to `{}`: No such file or directory (os error 2)", file.display());
    assert_eq!(error, expected);
    let (_root, group) = tree(2, &[]);
    let error = group.set_limits(&limits).expect_err("there is no such controller").to_string();
    assert_eq!(error, "cannot set `memory.max`: no cgroup hierarchy offers the controller `memory`");
}

#[test]
fn counters_are_read_from_either_version() {
    for (version, file, text) in [
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        (2, "memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n"),
    ] {
        let (root, group) = tree(version, &["memory"]);
        let dir = root.path().join("bowline/a/pod1");
        fs::create_dir_all(&dir).expect("a directory");
        assert_eq!(group.oom_kills(), 0, "v{version} without the file");
        fs::write(dir.join(file), text).expect("a file");
        assert_eq!(group.oom_kills(), 3, "v{version}");
    }
}
