//! Takes a thread's view of the host away before it touches a hostile archive.
//!
//! Names are resolved below the layer by the kernel anyway; this is the second wall, for the case that a mistake is
//! made on this side of the first. It does not replace a process of its own against faults of memory.

use std::path::Path;

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::{Job, UnpackError, Unpacked, Unpacker};

/// What unpacking needs: owners, modes and set-id bits, whiteouts, file capabilities, and (`SYS_ADMIN`) the
/// `trusted` attribute that marks an opaque directory.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SYS_ADMIN);

/// Unpacks on a thread of its own whose root is the layer's directory, with few capabilities.
#[derive(Debug, Clone, Copy, Default)]
pub struct Confined;

impl Unpacker for Confined {
    fn unpack(&self, job: &Job) -> Result<Unpacked, UnpackError> {
        std::thread::scope(|scope| {
            let work = || job.run_confined(|| enter(&job.into));
            let thread = std::thread::Builder::new().name("unpack".into()).spawn_scoped(scope, work);
            let thread = thread.map_err(|source| UnpackError::Confine { action: "start a thread", source })?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Confines the calling thread for the rest of its life; only fit for a thread that ends with its work.
fn enter(root: &Path) -> Result<(), UnpackError> {
    let failed = |action| move |e: nix::Error| UnpackError::Confine { action, source: e.into() };
    // Without this the new root would be that of the whole process.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).map_err(failed("leave the shared root"))?;
    nix::unistd::chroot(root).map_err(failed("enter the layer"))?;
    nix::unistd::chdir("/").map_err(failed("enter the layer"))?;
    let sets = CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(|e| UnpackError::Confine { action: "drop capabilities", source: e.into() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::super::testing::is_root;
    use super::*;

    #[test]
    fn a_confined_thread_sees_the_layer_only_and_the_others_see_the_host() {
        if !is_root("a_confined_thread_sees_the_layer_only_and_the_others_see_the_host") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("inside"), "").unwrap();
        let root = dir.path().to_owned();
        let seen = std::thread::spawn(move || {
            enter(&root).unwrap();
            let capabilities = rustix::thread::capabilities(None).unwrap().effective;
            let chroot_again = nix::unistd::chroot("/").is_err();
            (fs::exists("/inside").unwrap(), fs::exists("/etc").unwrap(), capabilities == KEPT, chroot_again)
        });
        assert_eq!(seen.join().unwrap(), (true, false, true, true));
        assert!(fs::exists("/etc").unwrap() && !fs::exists("/inside").unwrap());
    }
}
