//! A container's file tree: root, system file systems, mounts, masks, and the change of root.
//!
//! Everything is assembled on descriptors of detached mounts and attached to targets that were resolved inside the
//! image; no path of the image is ever given to a call that follows links on the host.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change, move_mount, open_tree,
    unmount,
};

use super::devices::{self, Terminal};
use super::paths::{self, Create};
use super::{Step, StepError};
use crate::host::engine::spec::{ContainerSpec, Mount, MountKind, Rootfs};
use crate::host::sys::mount::{attr, set_attributes};

/// Files of `/proc` that tell about or reach into the host; each shows `/dev/null` instead.
const MASKED_FILES: [&str; 6] = ["kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug"];
/// Directories of `/proc` and `/sys` that do; each shows an empty directory instead.
const MASKED_DIRS: [&str; 5] =
    ["proc/asound", "proc/acpi", "proc/scsi", "sys/firmware", "sys/devices/virtual/powercap"];
/// Parts of `/proc` that may be read only.
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Host paths and namespaces that a container's tree is made from.
pub(super) struct Sources<'a> {
    pub mountpoint: &'a Path,
    pub scratch: &'a Path,
    pub pod_mounts: BorrowedFd<'a>,
    pub termination_file: Option<&'a Path>,
}

/// Builds the tree and makes it the process's root. Returns a terminal when the container wants one.
pub(super) fn enter(spec: &ContainerSpec, sources: &Sources<'_>) -> Result<Option<Terminal>, StepError> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step(|| "cannot make the mount namespace private".to_owned())?;
    let shared = clone_pod_mounts(spec, sources.pod_mounts)?;
    let root = mount_root(spec, sources)?;
    let root = root.as_fd();
    let proc = attach_new(root, "/proc", "proc", &[], attr::NOSUID | attr::NODEV | attr::NOEXEC)?;
    attach_new(root, "/sys", "sysfs", &[], attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC)?;
    let pts = devices::populate(root)?;
    let mut shared = shared.into_iter();
    let shm = shared.next().ok_or_else(|| StepError("the pod has no shared memory".to_owned()))?;
    attach(&shm, root, "/dev/shm", Create::Directory)?;
    for mount in &spec.mounts {
        let tree = match &mount.kind {
            MountKind::PodTmpfs { .. } => shared.next().ok_or_else(|| missing(mount))?,
            _ => source_of(mount)?,
        };
        attach_mount(&tree, root, mount)?;
    }
    if let (Some(file), Some(target)) = (sources.termination_file, &spec.termination_message_path) {
        let mount = Mount::bind(file, target.clone(), false);
        attach_mount(&source_of(&mount)?, root, &mount)?;
    }
    mask(root, proc.as_fd())?;
    if !is_read_only(&spec.rootfs) {
        paths::open_or_create(root, Path::new(&spec.cwd), Create::Directory)
            .step(|| format!("cannot create the working directory `{}`", spec.cwd))?;
    } else if matches!(spec.rootfs, Rootfs::Overlay { .. }) {
        let _ = paths::open_or_create(root, Path::new(&spec.cwd), Create::Directory);
        set_attributes(root, attr::RDONLY, false).step(|| "cannot make the root read-only".to_owned())?;
    }
    let terminal = if spec.tty { Some(devices::open_terminal(Some(pts.as_fd()))?) } else { None };
    change_root(root)?;
    Ok(terminal)
}

fn is_read_only(rootfs: &Rootfs) -> bool {
    match rootfs {
        Rootfs::Overlay { read_only, .. } | Rootfs::Directory { read_only, .. } => *read_only,
    }
}

fn missing(mount: &Mount) -> StepError {
    StepError(format!("cannot mount `{}`: the pod has no such volume", mount.target))
}

/// Opens `path` (following links: it is the host's) as an anchor that is only good for further calls.
fn open_path(path: &Path) -> Result<OwnedFd, StepError> {
    openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .step(|| format!("cannot open `{}`", path.display()))
}

/// Mounts what becomes `/` and returns it.
fn mount_root(spec: &ContainerSpec, sources: &Sources<'_>) -> Result<OwnedFd, StepError> {
    match &spec.rootfs {
        Rootfs::Overlay { lowers, .. } => {
            // Layers are named by descriptors: their paths may be of any length and hold `:` or `,`.
            let lowers: Vec<OwnedFd> = lowers.iter().map(|lower| open_path(lower)).collect::<Result<_, _>>()?;
            let upper = open_path(&sources.scratch.join("upper"))?;
            let work = open_path(&sources.scratch.join("work"))?;
            let name = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
            let list = lowers.iter().map(name).collect::<Vec<_>>().join(":");
            // `volatile`: the layer is thrown away with the container, so that syncing it would be wasted.
            let options = format!("lowerdir={list},upperdir={},workdir={},volatile", name(&upper), name(&work));
            let options = std::ffi::CString::new(options).expect("invariant: numbers and fixed text hold no zero byte");
            mount("overlay", sources.mountpoint, "overlay", MountFlags::NODEV, options.as_c_str())
                .step(|| format!("cannot mount the image's {} layers", lowers.len()))?;
        }
        Rootfs::Directory { path, read_only } => {
            let what = || format!("cannot use `{}` as root", path.display());
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
            let tree = open_tree(CWD, path, flags).step(what)?;
            let attributes = attr::NODEV | if *read_only { attr::RDONLY } else { 0 };
            set_attributes(tree.as_fd(), attributes, true).step(what)?;
            let target = open_path(sources.mountpoint)?;
            move_to(&tree, target.as_fd()).step(what)?;
        }
    }
    open_path(sources.mountpoint)
}

/// Returns detached copies of the pod's `/dev/shm` and of each in-memory volume that the container mounts, in order.
fn clone_pod_mounts(spec: &ContainerSpec, pod_mounts: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, StepError> {
    let own = open_path_read(Path::new("/proc/self/ns/mnt"))?;
    setns(pod_mounts, CloneFlags::CLONE_NEWNS).step(|| "cannot enter the pod's volumes".to_owned())?;
    let mut trees = vec![clone_below("/shm", None)];
    for mount in &spec.mounts {
        if let MountKind::PodTmpfs { name, sub_path } = &mount.kind {
            trees.push(clone_below(&format!("/volumes/{name}"), sub_path.as_deref()));
        }
    }
    setns(own.as_fd(), CloneFlags::CLONE_NEWNS).step(|| "cannot leave the pod's volumes".to_owned())?;
    trees.into_iter().collect()
}

fn open_path_read(path: &Path) -> Result<OwnedFd, StepError> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .step(|| format!("cannot open `{}`", path.display()))
}

fn clone_below(path: &str, sub_path: Option<&str>) -> Result<OwnedFd, StepError> {
    let what = || format!("cannot use volume `{path}`");
    let mut at = open_path(Path::new(path))?;
    if let Some(sub) = sub_path {
        at = paths::open_or_create(at.as_fd(), Path::new(sub), Create::Directory).step(what)?;
    }
    clone_at(at.as_fd(), false).step(what)
}

fn clone_at(at: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(open_tree(at, "", flags)?)
}

/// Returns the detached tree that a mount shows.
fn source_of(mount: &Mount) -> Result<OwnedFd, StepError> {
    match &mount.kind {
        MountKind::Bind { source, sub_path, recursive } => {
            let mut at = open_path(source)?;
            let what = || format!("cannot use `{}` for mount `{}`", source.display(), mount.target);
            if let Some(sub) = sub_path {
                at = paths::open_or_create(at.as_fd(), Path::new(sub), Create::Directory).step(what)?;
            }
            clone_at(at.as_fd(), *recursive).step(what)
        }
        MountKind::Tmpfs { size_bytes, mode } => {
            let mut options = vec![("mode", format!("{mode:o}"))];
            options.extend(size_bytes.map(|size| ("size", size.to_string())));
            new_tree("tmpfs", &options, attr::NOSUID | attr::NODEV)
        }
        MountKind::PodTmpfs { .. } => Err(missing(mount)),
    }
}

/// Attaches a mount of the specification.
fn attach_mount(tree: &OwnedFd, root: BorrowedFd<'_>, mount: &Mount) -> Result<(), StepError> {
    let what = || format!("cannot mount `{}`", mount.target);
    let attributes = attr::NODEV | if mount.read_only { attr::RDONLY } else { 0 };
    set_attributes(tree.as_fd(), attributes, true).step(what)?;
    let directory = FileType::from_raw_mode(fstat(tree).step(what)?.st_mode) == FileType::Directory;
    attach(tree, root, &mount.target, if directory { Create::Directory } else { Create::File })
}

/// Makes a new file system of its own, not attached anywhere.
pub(super) fn new_tree(kind: &str, options: &[(&str, String)], attributes: u64) -> Result<OwnedFd, StepError> {
    let what = || format!("cannot make a {kind} file system");
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).step(what)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), *key, value.as_str()).step(what)?;
    }
    fsconfig_create(context.as_fd()).step(what)?;
    let flags = MountAttrFlags::from_bits_retain(attributes as u32);
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).step(what)
}

/// Makes a new file system and attaches it to a directory that no link leads to.
pub(super) fn attach_new(
    root: BorrowedFd<'_>,
    target: &str,
    kind: &str,
    options: &[(&str, String)],
    attributes: u64,
) -> Result<OwnedFd, StepError> {
    let tree = new_tree(kind, options, attributes)?;
    let what = || format!("cannot mount `{target}`");
    let at = paths::open_plain(root, Path::new(target)).step(what)?;
    move_to(&tree, at.as_fd()).step(what)?;
    Ok(tree)
}

/// Attaches a detached tree to a path of the container, created when missing.
pub(super) fn attach(tree: &OwnedFd, root: BorrowedFd<'_>, target: &str, create: Create) -> Result<(), StepError> {
    let what = || format!("cannot mount `{target}`");
    let at = paths::open_or_create(root, Path::new(target), create).step(what)?;
    move_to(tree, at.as_fd()).step(what)
}

/// Attaches a detached tree to what `at` stands for.
pub(super) fn move_to(tree: &OwnedFd, at: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(tree, "", at, "", flags)?)
}

/// Hides what a container must not see of the host and protects what it must not change.
fn mask(root: BorrowedFd<'_>, proc: BorrowedFd<'_>) -> Result<(), StepError> {
    for name in MASKED_FILES {
        if let Ok(at) = paths::open(proc, Path::new(name)) {
            let what = || format!("cannot mask `/proc/{name}`");
            move_to(&devices::host_null().step(what)?, at.as_fd()).step(what)?;
        }
    }
    let mut empty: Option<OwnedFd> = None;
    for name in MASKED_DIRS {
        let Ok(at) = paths::open(root, Path::new(name)) else { continue };
        let what = || format!("cannot mask `/{name}`");
        // One read-only tmpfs serves for all: the first is attached, the others are copies of it.
        let tree = match &empty {
            Some(first) => clone_at(first.as_fd(), false).step(what)?,
            None => new_tree("tmpfs", &[], attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC)?,
        };
        move_to(&tree, at.as_fd()).step(what)?;
        empty = Some(tree);
    }
    for name in READ_ONLY {
        if let Ok(at) = paths::open(proc, Path::new(name)) {
            let what = || format!("cannot make `/proc/{name}` read-only");
            let tree = clone_at(at.as_fd(), false).step(what)?;
            let attributes = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC;
            set_attributes(tree.as_fd(), attributes, false).step(what)?;
            move_to(&tree, at.as_fd()).step(what)?;
        }
    }
    Ok(())
}

/// Makes `root` the process's root and lets go of the host's tree.
fn change_root(root: BorrowedFd<'_>) -> Result<(), StepError> {
    let what = || "cannot change the root".to_owned();
    // The old root is stacked on top of the new one, from where it is detached: the image needs no directory for it.
    rustix::process::fchdir(root).step(what)?;
    nix::unistd::pivot_root(".", ".").step(what)?;
    unmount(".", UnmountFlags::DETACH).step(what)?;
    nix::unistd::chdir("/").step(what)
}
