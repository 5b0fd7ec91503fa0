//! The doors to libgit2 that Rust cannot check.
//!
//! Responsible for: process-wide settings of libgit2 and the registration of the transport, once.
//!
//! Must never: be called from more than [`initialise`] and [`open`]; all other code uses the safe interface.

use std::path::Path;
use std::sync::Once;

use git2::{ConfigLevel, Repository, RepositoryOpenFlags};

use super::transport;

/// Objects of one pack. Linux' kernel repository has ten million; one of manifests that reaches this is hostile.
const PACK_OBJECTS_MAX: usize = 5_000_000;
/// Size of one object, unpacked, in bytes: a few hundred bytes of deltas can describe gigabytes.
const OBJECT_BYTES_MAX: usize = 128 << 20;
/// Memory that packs are mapped into, in bytes.
const MAPPED_BYTES_MAX: usize = 256 << 20;
/// Memory for unpacked objects, in bytes. Readers keep what they need themselves.
const CACHE_BYTES_MAX: isize = 8 << 20;

/// Sets libgit2 up; every entry into `source` calls this first.
pub(super) fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only where another provider of the process was first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        git2::opts::strict_hash_verification(true);
        configure();
        // SAFETY: `register` must not run while transports are made. `Once` runs this before any function of this module
        // returns, and no other code of the process makes a remote before calling `initialise`.
        unsafe { git2::transport::register(transport::SCHEME, transport::make) }
            .expect("invariant: libgit2 takes a new scheme");
    });
}

/// Opens the repository at exactly `path`, bare or with a work tree.
pub(super) fn open(path: &Path) -> Result<Repository, git2::Error> {
    initialise();
    Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, std::iter::empty::<&std::ffi::OsStr>())
}

fn configure() {
    let levels = [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG, ConfigLevel::ProgramData];
    for level in levels {
        // SAFETY: these settings are plain global variables of libgit2 that must not be changed while it is in use;
        // `initialise` runs this once, before any other use. An empty path means that the file is not looked for: what
        // a person configured for `git` (URL rewriting, for one) must not change what this daemon fetches.
        unsafe { git2::opts::set_search_path(level, "") }.expect("invariant: libgit2 takes any search path");
    }
    // SAFETY: as above. The owner of a repository is not checked: that rule protects people who run `git` in a foreign
    // directory from its hooks, filters and aliases, and libgit2 runs none of them. Which path is read is the
    // operator's word.
    unsafe { git2::opts::set_verify_owner_validation(false) }.expect("invariant: libgit2 knows the option");
    // SAFETY: as above; plain numbers.
    unsafe {
        git2::opts::set_mwindow_mapped_limit(MAPPED_BYTES_MAX).expect("invariant: libgit2 knows the option");
        git2::opts::set_cache_max_size(CACHE_BYTES_MAX).expect("invariant: libgit2 knows the option");
    }
    for (option, limit) in [
        (libgit2_sys::GIT_OPT_SET_PACK_MAX_OBJECTS, PACK_OBJECTS_MAX),
        (libgit2_sys::GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, OBJECT_BYTES_MAX),
    ] {
        // SAFETY: as above; libgit2 documents one variable argument of type `size_t` for both options.
        let result = unsafe { libgit2_sys::git_libgit2_opts(option as std::ffi::c_int, limit) };
        assert_eq!(result, 0, "invariant: libgit2 knows the option");
    }
}
