//! What the engine is told to run: pods, containers, mounts, limits, exec requests.
//!
//! Plain data that crosses the wire between the daemon and a supervisor. It knows no Kubernetes kind: whoever
//! calls the engine translates. Nothing here does I/O.

use std::path::PathBuf;
use std::time::Duration;

/// A pod's sandbox: its identity, its namespaces and where its files live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSandbox {
    /// The pod's unique id; names its cgroup and its run directory.
    pub uid: String,
    /// The pod's namespace, for messages and for the process title.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// Host name inside the pod (at most 63 bytes); ignored with `host_network`.
    pub hostname: String,
    /// Uses the host's network and host name instead of its own.
    pub host_network: bool,
    /// Uses the host's System V IPC and message queues.
    pub host_ipc: bool,
    /// Uses the host's process ids.
    pub host_pid: bool,
    /// Lets all containers of the pod share one process namespace.
    pub share_process_namespace: bool,
    /// Directory that belongs to this pod alone; created (0700) and removed by the engine. Holds the control
    /// socket, the exit records and the containers' writable layers, so it must not lie on an overlayfs.
    pub run_dir: PathBuf,
    /// Directory for logs; container `c`, attempt `n` logs to `<log_dir>/c/n.log`. Created if missing.
    pub log_dir: PathBuf,
    /// Limits over all containers together.
    pub limits: Limits,
    /// In-memory volumes shared by the containers of the pod ([`MountKind::PodTmpfs`] refers to them by name).
    pub tmpfs: Vec<TmpfsVolume>,
    /// Size of the pod's `/dev/shm` in bytes.
    pub shm_bytes: u64,
    /// Kernel parameters of the pod's network and IPC namespaces, such as `net.ipv4.ip_unprivileged_port_start`.
    pub sysctls: Vec<(String, String)>,
}

impl PodSandbox {
    /// Size of `/dev/shm` when a pod does not say otherwise: 64 MiB, as containerd gives.
    pub const DEFAULT_SHM_BYTES: u64 = 64 << 20;

    /// Describes a pod with everything optional left at its default.
    pub fn new(uid: impl Into<String>, run_dir: impl Into<PathBuf>, log_dir: impl Into<PathBuf>) -> Self {
        let uid = uid.into();
        Self {
            namespace: "default".to_owned(),
            name: uid.clone(),
            hostname: uid.chars().take(63).collect(),
            uid,
            host_network: false,
            host_ipc: false,
            host_pid: false,
            share_process_namespace: false,
            run_dir: run_dir.into(),
            log_dir: log_dir.into(),
            limits: Limits::default(),
            tmpfs: Vec::new(),
            shm_bytes: Self::DEFAULT_SHM_BYTES,
            sysctls: Vec::new(),
        }
    }
}

/// A memory-backed volume that lives as long as its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmpfsVolume {
    /// Name by which mounts refer to it: one path component.
    pub name: String,
    /// Upper bound in bytes; `None` leaves the kernel's default of half the memory.
    pub size_bytes: Option<u64>,
    /// Permission bits of its root directory, for instance `0o1777`.
    pub mode: u32,
}

/// Resource limits of a pod or a container. `None` means not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory limit in bytes; swap is then not available.
    pub memory_bytes: Option<u64>,
    /// CPU request in thousandths of a core; becomes the weight (`cpu.shares` or `cpu.weight`).
    pub cpu_request_milli: Option<u64>,
    /// CPU limit in thousandths of a core; becomes the bandwidth quota.
    pub cpu_limit_milli: Option<u64>,
    /// Highest number of tasks.
    pub pids: Option<u64>,
}

/// One container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Name, unique within the pod: one path component.
    pub name: String,
    /// Number of this start, counted from 0; the supervisor adds one for each restart it does by itself.
    pub attempt: u32,
    /// Hash of the container's declaration; a new hash starts with a fresh backoff.
    pub spec_hash: String,
    /// What `/` is.
    pub rootfs: Rootfs,
    /// What is mounted below `/`, in this order.
    pub mounts: Vec<Mount>,
    /// Program and arguments; the program is looked up in the container's `PATH` when it has no slash.
    pub argv: Vec<String>,
    /// Environment. `PATH` and `HOME` are added when missing.
    pub env: Vec<(String, String)>,
    /// Working directory inside the container; created when missing.
    pub cwd: String,
    /// Who the program runs as.
    pub user: User,
    /// Limits of this container alone.
    pub limits: Limits,
    /// Capabilities the program may have.
    pub capabilities: Capabilities,
    /// Forbids gaining privileges through set-user-id programs.
    pub no_new_privileges: bool,
    /// The kernel's out-of-memory preference, -1000 to 1000; skipped where the host forbids it.
    pub oom_score_adj: Option<i32>,
    /// Whether the supervisor starts the container again when it ends.
    pub restart: RestartPolicy,
    /// Signal number sent first when the container is stopped (15 is SIGTERM).
    pub stop_signal: i32,
    /// Gives the program a terminal as stdin, stdout and stderr.
    pub tty: bool,
    /// Where in the container the termination message file appears, usually `/dev/termination-log`.
    pub termination_message_path: Option<String>,
    /// Takes the end of the log as termination message when the container fails and wrote none.
    pub termination_message_from_logs: bool,
}

impl ContainerSpec {
    /// Describes a container with everything optional left at its default: root, default capabilities, restart
    /// `Always`, SIGTERM.
    pub fn new(name: impl Into<String>, rootfs: Rootfs, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            name: name.into(),
            attempt: 0,
            spec_hash: String::new(),
            rootfs,
            mounts: Vec::new(),
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: User::default(),
            limits: Limits::default(),
            capabilities: Capabilities::DEFAULT,
            no_new_privileges: false,
            oom_score_adj: None,
            restart: RestartPolicy::Always,
            stop_signal: 15,
            tty: false,
            termination_message_path: Some("/dev/termination-log".to_owned()),
            termination_message_from_logs: false,
        }
    }
}

/// Where a container's root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rootfs {
    /// Read-only layers with a writable layer of the engine's own on top; each attempt starts with an empty one.
    Overlay {
        /// Layer directories, topmost first.
        lowers: Vec<PathBuf>,
        /// Makes `/` read-only once the mount points exist.
        read_only: bool,
    },
    /// A directory of the host as it is; what the container writes stays there.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Mounts it read-only. Mount points must then exist already.
        read_only: bool,
    },
}

/// One mount inside a container. Device files never work through it: every mount is `nodev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path in the container; resolved inside its root, created when missing.
    pub target: String,
    /// Mounts read-only.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
}

impl Mount {
    /// Describes a bind mount of the host path `source`.
    pub fn bind(source: impl Into<PathBuf>, target: impl Into<String>, read_only: bool) -> Self {
        let kind = MountKind::Bind { source: source.into(), sub_path: None, recursive: true };
        Self { target: target.into(), read_only, kind }
    }
}

/// What a [`Mount`] shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A file or directory of the host.
    Bind {
        /// Host path; trusted, symbolic links are followed.
        source: PathBuf,
        /// Path below `source`, resolved without ever leaving it, because a container may have written there.
        /// Created as a directory when missing.
        sub_path: Option<String>,
        /// Includes what is mounted below the source.
        recursive: bool,
    },
    /// A fresh in-memory file system of this container.
    Tmpfs {
        /// Upper bound in bytes.
        size_bytes: Option<u64>,
        /// Permission bits of its root directory.
        mode: u32,
    },
    /// A volume of [`PodSandbox::tmpfs`].
    PodTmpfs {
        /// The volume's name.
        name: String,
        /// Path below the volume, resolved without leaving it; created when missing.
        sub_path: Option<String>,
    },
}

/// Who a program runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// `user` or `user:group` as an image declares it, by name or number, looked up in the container's own
    /// `/etc/passwd` and `/etc/group`. When set it replaces `uid` and `gid`; groups found are added to `groups`.
    pub name: Option<String>,
}

/// A set of Linux capabilities, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// What containerd gives by default: AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD,
    /// NET_BIND_SERVICE, NET_RAW, SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT.
    pub const DEFAULT: Self = Self(
        1 << 29
            | 1
            | 1 << 1
            | 1 << 3
            | 1 << 4
            | 1 << 5
            | 1 << 27
            | 1 << 10
            | 1 << 13
            | 1 << 31
            | 1 << 6
            | 1 << 8
            | 1 << 7
            | 1 << 18,
    );
    /// No capability at all.
    pub const NONE: Self = Self(0);

    /// Every capability's name without `CAP_`, at the index of its number.
    pub const NAMES: [&'static str; 41] = [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
    ];

    /// Returns the set of one capability named as in a manifest (`NET_ADMIN`, with or without `CAP_`, or `ALL`),
    /// or `None` when there is no such capability.
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("all") {
            return Some(Self((1 << Self::NAMES.len()) - 1));
        }
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        Self::NAMES.iter().position(|known| *known == bare).map(|bit| Self(1 << bit))
    }

    /// Returns this set with `other` added.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns this set without `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Whether a container that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Always.
    #[default]
    Always,
    /// Only when it failed.
    OnFailure,
    /// Never.
    Never,
}

/// A program to run inside a running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSpec {
    /// The container's name.
    pub container: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment added to the container's own.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` is the container's.
    pub cwd: Option<String>,
    /// Runs on a new terminal of the container; its other end is returned.
    pub tty: bool,
    /// The program is killed after this time.
    pub timeout: Option<Duration>,
}

impl ExecSpec {
    /// Describes a program without a terminal or a time limit.
    pub fn new(container: impl Into<String>, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            container: container.into(),
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: None,
            tty: false,
            timeout: None,
        }
    }
}
