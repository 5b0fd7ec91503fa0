//! The namespaces of a pod: made once, before the first container.
//!
//! The supervisor itself lives in the pod's network, IPC and UTS namespaces, so that it holds them without a mount or
//! a second process, and every container it forks is in them already.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};

use crate::host::engine::spec::PodSandbox;
use crate::host::sys::net;
use crate::host::sys::process::{self, Clone};

/// Why a pod's sandbox could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct SandboxError {
    what: String,
    source: io::Error,
}

fn failed<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> SandboxError {
    let what = what.into();
    move |error| SandboxError { what, source: error.into() }
}

/// Moves the process into new namespaces as `pod` asks for, and sets them up.
pub(super) fn enter(pod: &PodSandbox) -> Result<(), SandboxError> {
    let mut flags = CloneFlags::empty();
    if !pod.host_network {
        flags |= CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
    }
    if !pod.host_ipc {
        flags |= CloneFlags::CLONE_NEWIPC;
    }
    unshare(flags).map_err(failed("cannot make the pod's namespaces"))?;
    if !pod.host_network {
        nix::unistd::sethostname(&pod.hostname)
            .map_err(failed(format!("cannot set the host name `{}`", pod.hostname)))?;
        net::loopback_up().map_err(failed("cannot set the loopback interface up"))?;
    }
    pod.sysctls.iter().try_for_each(|(name, value)| set_sysctl(pod, name, value))
}

/// Sets a kernel parameter that belongs to one of the pod's own namespaces; refuses all others.
fn set_sysctl(pod: &PodSandbox, name: &str, value: &str) -> Result<(), SandboxError> {
    let what = format!("cannot set sysctl `{name}` to `{value}`");
    let own_ipc = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."].iter().any(|start| name.starts_with(start));
    let own_net = name.starts_with("net.");
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let of_the_pod = if own_net { !pod.host_network } else { own_ipc && !pod.host_ipc };
    if !plain || name.contains("..") || !of_the_pod {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "it is not a parameter of the pod's namespaces");
        return Err(SandboxError { what, source });
    }
    fs::write(Path::new("/proc/sys").join(name.replace('.', "/")), value).map_err(failed(what))
}

/// Makes the mount namespace that holds the pod's in-memory volumes and nothing of the host: `/shm` and
/// `/volumes/<name>`. It lives as long as the returned descriptor.
pub(super) fn make_volumes(pod: &PodSandbox, anchor: &Path) -> Result<OwnedFd, SandboxError> {
    let open = || {
        openat(CWD, "/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed("cannot open the mount namespace"))
    };
    let own = open()?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("cannot make a mount namespace"))?;
    // The namespace is named before `/proc` is let go of.
    let made = open();
    let filled = fill_volumes(pod, anchor);
    setns(own.as_fd(), CloneFlags::CLONE_NEWNS).map_err(failed("cannot return to the host's mount namespace"))?;
    filled?;
    made
}

fn fill_volumes(pod: &PodSandbox, anchor: &Path) -> Result<(), SandboxError> {
    let what = || failed::<rustix::io::Errno>("cannot make the pod's in-memory volumes");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(what())?;
    tmpfs(anchor, "mode=755,size=64k".to_owned()).map_err(what())?;
    nix::unistd::chdir(anchor).map_err(failed("cannot enter the pod's in-memory volumes"))?;
    nix::unistd::pivot_root(".", ".").map_err(failed("cannot enter the pod's in-memory volumes"))?;
    unmount(".", UnmountFlags::DETACH).map_err(what())?;
    let volumes = pod.tmpfs.iter().map(|volume| {
        let size = volume.size_bytes.map_or_else(String::new, |size| format!(",size={size}"));
        (format!("/volumes/{}", volume.name), format!("mode={:o}{size}", volume.mode))
    });
    let shm = ("/shm".to_owned(), format!("mode=1777,size={}", pod.shm_bytes));
    for (path, options) in [shm].into_iter().chain(volumes) {
        fs::create_dir_all(&path).map_err(failed(format!("cannot make volume `{path}`")))?;
        tmpfs(Path::new(&path), options).map_err(failed(format!("cannot mount volume `{path}`")))?;
    }
    Ok(())
}

fn tmpfs(target: &Path, options: String) -> rustix::io::Result<()> {
    let options = std::ffi::CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
    mount("tmpfs", target, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, options.as_c_str())
}

/// The first process of a process namespace that the pod's containers share: it does nothing but reap.
#[derive(Debug)]
pub(super) struct Init {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

impl Init {
    /// Forks it and lets processes that are forked from now on be born in its namespace.
    pub fn start(own: &impl AsFd) -> Result<Self, SandboxError> {
        setns(own.as_fd(), CloneFlags::CLONE_NEWPID).map_err(failed("cannot leave the pod's process namespace"))?;
        match process::clone_into(libc::CLONE_NEWPID).map_err(failed("cannot make the pod's process namespace"))? {
            Clone::Child => {
                process::set_title("pause");
                process::reset_signals();
                process::ignore_signal(libc::SIGCHLD);
                let _ = process::close_all_except(&[]);
                loop {
                    nix::unistd::pause();
                }
            }
            Clone::Parent { pid, pidfd } => {
                setns(pidfd.as_fd(), CloneFlags::CLONE_NEWPID)
                    .map_err(failed("cannot enter the pod's process namespace"))?;
                Ok(Self { pid, pidfd })
            }
        }
    }
}
