//! What a container sees: its root, mounts, namespaces, and nothing of the host beyond them.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::fixture::{FOREVER, Fixture, engine, unable};
use crate::host::engine::*;

#[tokio::test]
async fn a_container_sees_its_own_world_only() {
    if unable("a_container_sees_its_own_world_only") {
        return;
    }
    let fixture = Fixture::with("world", |sandbox| sandbox.hostname = "small-host".into()).await;
    let checks = [
        ("echo $$", "1"),
        ("cat /proc/sys/kernel/hostname", "small-host"),
        ("ls /sys/class/net", "lo"),
        ("cat /sys/class/net/lo/operstate", "unknown"),
        ("pwd; echo $HOME $GREETING", "/work\n/root hello"),
        ("cat /proc/kcore /proc/timer_list /proc/keys 2>/dev/null | wc -c; ls /sys/firmware | wc -l", "0\n0"),
        ("(echo 1 > /proc/sys/kernel/panic) 2>&1 | grep -c 'Read-only'", "1"),
        ("mkdir /sys/x 2>&1 | grep -c 'Read-only'", "1"),
        ("touch /usr/x 2>&1 | grep -c 'Read-only'", "1"),
        ("mknod /tmp/sda b 8 0 && cat /tmp/sda 2>&1 | grep -c 'Permission denied'", "1"),
        ("ls /proc/self/fd | wc -l", "4"),
        ("grep bowline- /proc/self/mountinfo | grep -vc termination", "0"),
        ("cat /proc/1/oom_score_adj; umask", "0\n0022"),
        ("grep CapBnd /proc/self/status | cut -f2", "00000000a80425fb"),
        ("cat /proc/self/cgroup | cut -d: -f3 | grep -v '^/' | wc -l", "0"),
        (
            "ls -A /dev | tr '\n' ' '",
            "fd full mqueue null ptmx pts random shm stderr stdin stdout termination-log tty urandom zero",
        ),
    ];
    let script: Vec<String> = checks.iter().map(|(command, _)| format!("{command} 2>&1; echo --")).collect();
    let mut spec = fixture.container("main", &script.join("\n"));
    spec.env.push(("GREETING".into(), "hello".into()));
    spec.cwd = "/work".into();
    let exit = fixture.run(spec).await;
    assert_eq!(exit.code, 0, "{}", exit.message);
    let output = fixture.output("main");
    let answers: Vec<&str> = output.split("--").map(str::trim).collect();
    for ((command, expected), answer) in checks.iter().zip(answers) {
        assert_eq!(answer, *expected, "{command}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn links_in_an_image_cannot_redirect_mounts() {
    if unable("links_in_an_image_cannot_redirect_mounts") {
        return;
    }
    let fixture = Fixture::new("links").await;
    let outside = fixture.dir.path().join("outside");
    fs::create_dir(&outside).expect("a directory");
    symlink(&outside, fixture.dir.path().join("image/data")).expect("a link");
    symlink("/etc", fixture.dir.path().join("image/proc")).expect("a link");
    let exit = fixture.run(fixture.container("proc", "true")).await;
    assert!(exit.message.starts_with("cannot mount `/proc`: Too many levels of symbolic links"), "{}", exit.message);
    fs::remove_file(fixture.dir.path().join("image/proc")).expect("the link");
    let mut spec = fixture.container("data", "true");
    spec.mounts.push(Mount::bind("/etc", "/data/deep", true));
    let exit = fixture.run(spec).await;
    assert_eq!(exit.code, 128, "a link that leads nowhere in the image is not followed");
    assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn containers_of_a_pod_share_volumes_and_processes_as_asked() {
    if unable("containers_of_a_pod_share_volumes_and_processes_as_asked") {
        return;
    }
    let fixture = Fixture::with("shared", |sandbox| {
        sandbox.share_process_namespace = true;
        sandbox.tmpfs.push(TmpfsVolume { name: "cache".into(), size_bytes: Some(1 << 20), mode: 0o1777 });
    })
    .await;
    let with_cache = |name: &str, script: &str, sub_path: Option<String>| {
        let mut spec = fixture.container(name, script);
        let kind = MountKind::PodTmpfs { name: "cache".into(), sub_path };
        spec.mounts.push(Mount { target: "/cache".into(), read_only: false, kind });
        spec
    };
    let writer = format!(
        "echo a > /cache/file; echo b > /dev/shm/file; mkdir -p /cache/sub; echo c > /cache/sub/file; {FOREVER}"
    );
    fixture.pod.start(with_cache("writer", &writer, None)).await.expect("it runs");
    fixture.exec("writer", "until test -s /cache/sub/file; do :; done").await;
    let script = "cat /cache/file /dev/shm/file; cat /proc/1/comm";
    fixture.run(with_cache("reader", script, None)).await;
    assert_eq!(fixture.output("reader"), "a\nb\npause");
    fixture.run(with_cache("below", "cat /cache/file", Some("sub".into()))).await;
    assert_eq!(fixture.output("below"), "c");
    fixture.pod.stop("writer", Duration::ZERO, None).await.expect("a state");
    let group = engine().pod_group("shared").child("writer");
    fixture.until("all of the container is killed with it", || group.processes().is_empty()).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_pod_can_use_the_hosts_network() {
    if unable("a_pod_can_use_the_hosts_network") {
        return;
    }
    let fixture = Fixture::with("host-network", |sandbox| sandbox.host_network = true).await;
    fixture.run(fixture.container("main", "readlink /proc/self/ns/net /proc/self/ns/uts")).await;
    let own = |name| fs::read_link(format!("/proc/self/ns/{name}")).expect("a link").display().to_string();
    assert_eq!(fixture.output("main"), format!("{}\n{}", own("net"), own("uts")));
    fixture.end().await;
}

#[tokio::test]
async fn a_read_only_root_stays_as_it_is() {
    if unable("a_read_only_root_stays_as_it_is") {
        return;
    }
    let fixture = Fixture::new("read-only").await;
    let mut spec = fixture.container("main", "touch /x 2>&1; touch /scratch/y && echo fine");
    let Rootfs::Overlay { read_only, .. } = &mut spec.rootfs else { panic!("an overlay") };
    *read_only = true;
    let kind = MountKind::Tmpfs { size_bytes: Some(1 << 20), mode: 0o755 };
    spec.mounts.push(Mount { target: "/scratch".into(), read_only: false, kind });
    fixture.run(spec).await;
    assert_eq!(fixture.output("main"), "touch: cannot touch '/x': Read-only file system\nfine");
    fixture.end().await;
}

#[tokio::test]
async fn a_working_directory_cannot_lead_out_of_the_container() {
    if unable("a_working_directory_cannot_lead_out_of_the_container") {
        return;
    }
    let fixture = Fixture::new("cwd").await;
    for read_only in [false, true] {
        for fd in 3..16 {
            let name = format!("fd-{read_only}-{fd}");
            let mut spec = fixture.container(&name, "pwd");
            spec.cwd = format!("/proc/self/fd/{fd}");
            if let Rootfs::Overlay { read_only: root, .. } = &mut spec.rootfs {
                *root = read_only;
            }
            let exit = fixture.run(spec).await;
            assert_eq!((exit.code, exit.reason.as_str()), (128, "StartError"), "{name}: {}", fixture.output(&name));
        }
    }
    fixture.end().await;
}
